#ifndef CLINUX_H
#define CLINUX_H
#include "CLinuxFiles.h"
#include "CLinuxMemory.h"
#include "CLinuxThreads.h"
#endif
