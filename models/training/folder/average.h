// models/training/folder/average.h -- the mean of several checkpoints of one model.
//
// What it finds is often better than any of them: checkpoints of the end of a run go around the
// minimum (Junczys-Dowmunt et al. 2016, "The AMU-UEDIN submission"; Vaswani et al. 2017, 6.1).
#pragma once
#include "models/training/folder/model_folder.h"

#include <string>
#include <vector>

namespace weft::training {

// Writes a folder with the model of `run` and the mean of the parameters in `files`, summed in
// double, in the order given. GraphError where there are none, one does not hold the parameters of
// the model, or `to` holds a model already.
void average(const ModelFolder& run, const std::vector<std::string>& files, const ModelFolder& to);

}  // namespace weft::training
