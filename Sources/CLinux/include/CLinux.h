#ifndef CLINUX_H
#define CLINUX_H
#include "CLinuxFiles.h"
#endif
