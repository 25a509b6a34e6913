// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// 1 / (1 + exp(-x)) in double precision, rounded once: the same float whatever the mathematics library.
@inline(__always)
func logistic(_ x: Float) -> Float { Float(1 / (1 + exp(-Double(x)))) }

/// log(1 + exp(x)); for large x that is x itself.
@inline(__always)
func softplus(_ x: Double) -> Double { x > 40 ? x : log1p(exp(x)) }
