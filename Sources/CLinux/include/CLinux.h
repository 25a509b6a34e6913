// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef CLINUX_H
#define CLINUX_H
#include "CLinuxFiles.h"
#include "CLinuxGuard.h"
#include "CLinuxMemory.h"
#include "CLinuxMultiplying.h"
#include "CLinuxReading.h"
#include "CLinuxTerminal.h"
#include "CLinuxThreads.h"
#endif
