// models/published/weights.cpp -- checking names and shapes, and laying tensors out.
#include "models/published/weights.h"

#include "ir/check.h"
#include "ir/error.h"
#include "models/families/seq2seq.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace weft::published {
namespace {

using ir::Array;
using ir::concat;
using ir::DType;
using ir::GraphError;

// A parameter as the tensor it is there.
Array as_there(const ParameterStore& store, const TensorName& name) {
  switch (name.layout) {
    case Layout::same:
      break;
    case Layout::transposed:
      return store.transposed(name.path);
    case Layout::row:
      return store.at(name.path).reshaped({1, store.at(name.path).dim(0)});
  }
  return store.at(name.path);
}

ir::Dims dims_there(const ir::Dims& here, Layout layout) {
  switch (layout) {
    case Layout::same:
      return here;
    case Layout::transposed:
      return {here.at(1), here.at(0)};
    case Layout::row:
      return {1, here.at(0)};
  }
  return here;
}

std::map<std::string, ir::Dims> parameters_of(const seq2seq::Settings& settings) {
  std::map<std::string, ir::Dims> all;
  const ir::Graph graph = seq2seq::loss_graph(settings, false);
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter)
      all.emplace(a.path, ir::values(graph.type(a.value).shape, {}));
  return all;
}

// How far a table of such numbers may be from what is computed in double: many tables were rounded to
// half precision once, whatever they are now.
double rounding_of(DType dtype) { return dtype == DType::bf16 ? 1.0 / 128 : 1.0 / 1024; }

// Of the sines, and of the cosines (frontend/nn/positions.h).
std::vector<double> rates_of(Sinusoids kind, int64_t half) {
  const auto last = static_cast<double>(kind == Sinusoids::tensor2tensor ? half - 1 : half);
  std::vector<double> rates;
  for (int64_t i = 0; i < half; ++i)
    rates.push_back(std::pow(10000.0, -static_cast<double>(i) / std::max(last, 1.0)));
  return rates;
}

void check_sinusoids(const formats::Checkpoint& checkpoint, const Imported& imported,
                     const SinusoidTable& table) {
  const formats::TensorInfo* info = checkpoint.find(table.name);
  if (info == nullptr) return;
  const int64_t width = imported.config.width;
  if (info->dims.size() != 2 || info->dims[1] != width || !ir::is_float(info->dtype))
    throw GraphError(concat(checkpoint.path(), ": error: ", table.name, " is ",
                            ir::name(info->dtype), ir::dims_str(info->dims),
                            ", needed are sinusoids [positions,", width, "]"));
  const Array a = checkpoint.view(table.name);
  const double most = rounding_of(info->dtype);
  const std::vector<double> rates = rates_of(imported.config.sinusoids, width / 2);
  for (int64_t p = 0; p < a.dim(0); ++p) {
    if (p == table.zero_row) continue;
    for (int64_t i = 0; i < width; ++i) {
      const double angle = static_cast<double>(p) * rates[static_cast<size_t>(i % (width / 2))];
      const double needed = i < width / 2 ? std::sin(angle) : std::cos(angle);
      if (std::fabs(a.at(p * width + i) - needed) <= most) continue;
      throw GraphError(concat(checkpoint.path(), ": error: ", table.name, "[", p, ",", i, "] is ",
                              a.at(p * width + i), ", the sinusoid of that position is ", needed));
    }
  }
}

}  // namespace

ParameterStore load_weights(const formats::Checkpoint& checkpoint, const Imported& imported,
                            ir::DType real, bool own) {
  const std::map<std::string, ir::Dims> parameters = parameters_of(imported.config);
  std::set<std::string, std::less<>> passed_over(imported.unneeded.begin(),
                                                 imported.unneeded.end());
  for (const TensorName& copy : imported.copies) passed_over.insert(copy.name);
  for (const SinusoidTable& table : imported.sinusoids) passed_over.insert(table.name);
  std::vector<formats::TensorInfo> entries;
  for (const formats::TensorInfo& t : checkpoint.entries())
    if (!passed_over.contains(t.name)) entries.push_back(t);
  std::vector<formats::WantedTensor> wanted;
  WEFT_CHECK(imported.tensors.size() == parameters.size());  // each has a name
  for (const TensorName& t : imported.tensors)
    wanted.push_back({t.name, dims_there(parameters.at(t.path), t.layout)});
  formats::check_entries(checkpoint.path() + ": error", entries, wanted);
  for (const SinusoidTable& table : imported.sinusoids)
    check_sinusoids(checkpoint, imported, table);
  checkpoint.will_need();
  ParameterStore store(imported.config.seed, real);
  for (const TensorName& t : imported.tensors) {
    if (t.layout == Layout::transposed) {
      const Array there = checkpoint.view(t.name);
      if (!own) {
        store.set_transposed(t.path, ir::ArgumentKind::parameter, there);
        continue;
      }
      store.set(t.path, ir::ArgumentKind::parameter, there.transposed());
      there.release();
      continue;
    }
    const Array a = own ? checkpoint.read(t.name) : checkpoint.view(t.name);
    store.set(t.path, ir::ArgumentKind::parameter,
              t.layout == Layout::row ? a.reshaped({a.dim(1)}) : a);
  }
  return store;
}

ir::NamedArrays tensors_of(const ParameterStore& store, const Imported& imported) {
  ir::NamedArrays tensors;
  for (const TensorName& t : imported.tensors) tensors.add(t.name, as_there(store, t));
  return tensors;
}

void write_weights(const std::string& path, const formats::Checkpoint& form,
                   const Imported& imported, const ParameterStore& store) {
  std::map<std::string_view, const TensorName*> parameters;
  for (const auto* list : {&imported.tensors, &imported.copies})
    for (const TensorName& t : *list) parameters.emplace(t.name, &t);
  formats::Metadata metadata = form.metadata();
  metadata.emplace("format", "pt");  // without it other tools refuse the file
  formats::write_safetensors(
      path, form.entries(),
      [&](const formats::TensorInfo& t) {
        const auto found = parameters.find(t.name);
        if (found == parameters.end()) return form.view(t.name);
        return as_there(store, *found->second).cast(t.dtype);
      },
      metadata);
}

}  // namespace weft::published
