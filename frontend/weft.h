// frontend/weft.h -- what a user includes.
#pragma once
#include "frontend/loop.h"
#include "frontend/nn/attention.h"
#include "frontend/nn/dropout.h"
#include "frontend/nn/embedding.h"
#include "frontend/nn/linear.h"
#include "frontend/nn/recurrent.h"
#include "frontend/scope.h"
#include "frontend/tensor.h"
