// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Returns 1 / (1 + exp(-x)), computed in double precision and rounded once: the same float with every mathematics library.
@inline(__always)
func logistic(_ x: Float) -> Float { Float(1 / (1 + exp(-Double(x)))) }

/// Returns log(1 + exp(x)); for x above 40 that is x itself.
@inline(__always)
func softplus(_ x: Double) -> Double { x > 40 ? x : log1p(exp(x)) }
