// models/training/folder/average.cpp -- sums of parameters, file by file.
#include "models/training/folder/average.h"

#include "ir/error.h"

#include <algorithm>
#include <map>

namespace weft::training {

void average(const ModelFolder& run, const std::vector<std::string>& files, const ModelFolder& to) {
  if (files.empty())
    throw ir::GraphError(ir::concat(run.path(),
                                    ": error: there are no checkpoints to average; training.keep "
                                    "keeps some"));
  to.check_free();
  std::map<std::string, std::vector<double>> sums;
  ParameterStore mean;
  int64_t last_step = 0;
  for (const std::string& file : files) {
    int64_t step = 0;
    mean = run.load(file, &step);
    last_step = std::max(last_step, step);
    for (const auto& p : mean.parameters()) {
      std::vector<double>& sum = sums[p.name];
      sum.resize(static_cast<size_t>(p.array.size()));
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += p.array.at(static_cast<int64_t>(i));
    }
  }
  for (const auto& p : mean.parameters()) {
    std::vector<double>& sum = sums[p.name];
    for (double& x : sum) x /= static_cast<double>(files.size());
    mean.set(p.name, ir::ArgumentKind::parameter,
             ir::Array::of(p.array.dtype(), p.array.dims(), sum));
  }
  to.save_model_of(run, mean, last_step);
}

}  // namespace weft::training
