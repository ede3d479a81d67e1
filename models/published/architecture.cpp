// models/published/architecture.cpp -- what the entries of several architectures share.
#include "models/published/architecture.h"

#include "ir/error.h"

#include <map>

namespace weft::published {

using ir::concat;

const Architecture& architecture_of(const ConfigFile& config) {
  const std::string type = config.text("model_type");
  std::string known;
  for (const Architecture* a : architectures()) {
    if (a->model_type == type) return *a;
    known += concat(known.empty() ? "" : ", ", a->model_type);
  }
  config.fail("model_type", concat("\"model_type\" is \"", type.substr(0, 40),
                                   "\"; models of these types are read: ", known));
}

void Names::linear(const std::string& path, const std::string& name, bool bias) {
  list_.push_back({bias ? path + "/W" : path, name + ".weight", Layout::transposed});
  if (bias) list_.push_back({path + "/b", name + ".bias"});
}

void Names::norm(const std::string& path, const std::string& name, NormKind kind) {
  list_.push_back({path + "/scale", name + ".weight"});
  if (kind == NormKind::layer) list_.push_back({path + "/shift", name + ".bias"});
}

void Names::table(const std::string& path, const std::string& name) {
  list_.push_back({path, name});
}

FeedForwardKind activation_of(const ConfigFile& config, std::string_view key,
                              const std::string& name, bool gated) {
  using enum FeedForwardKind;
  struct Pair {
    FeedForwardKind plain, gated;
  };
  static const std::map<std::string_view, Pair> kKinds{
      {"relu", {relu, reglu}},
      {"gelu", {gelu, geglu}},
      {"gelu_python", {gelu, geglu}},
      {"gelu_new", {gelu_tanh, geglu_tanh}},
      {"gelu_fast", {gelu_tanh, geglu_tanh}},
      {"gelu_pytorch_tanh", {gelu_tanh, geglu_tanh}},
      {"silu", {silu, swiglu}},
      {"swish", {silu, swiglu}}};
  const auto found = kKinds.find(name);
  if (found != kKinds.end()) return gated ? found->second.gated : found->second.plain;
  std::string known;
  for (const auto& [spelled, kind] : kKinds) known += concat(known.empty() ? "" : ", ", spelled);
  config.fail(key, concat("\"", key, "\" names the activation '", name.substr(0, 40),
                          "'; there are ", known));
}

void import_tables(Imported& imported, const TableNames& names, bool tied,
                   const Inventory& tensors) {
  transformer::Config& c = imported.config;
  Names list(imported.tensors);
  // The table of a side: its own, unless that is the shared one again.
  const auto table_of = [&](const std::string& own) {
    return tensors.has(own) && (!tensors.has(names.shared) || !tensors.same(own, names.shared))
               ? own
               : names.shared;
  };
  const std::string source = table_of(names.source), target = table_of(names.target);
  c.shared_embedding = source == target || tensors.same(source, target);
  if (c.shared_embedding) {
    list.table("embedding", source);
  } else {
    list.table("source_embedding", source);
    list.table("target_embedding", target);
  }
  const std::string source_path = c.shared_embedding ? "embedding" : "source_embedding",
                    target_path = c.shared_embedding ? "embedding" : "target_embedding";
  for (const std::string* copy : {&names.shared, &names.source, &names.target}) {
    if (*copy == source || (!c.shared_embedding && *copy == target)) continue;
    if (tensors.same(*copy, source))
      imported.copies.push_back({source_path, *copy});
    else if (tensors.same(*copy, target))
      imported.copies.push_back({target_path, *copy});
    else
      imported.unneeded.push_back(*copy);
  }
  const bool has_output = tensors.has(names.output);
  c.tied_output = !has_output || (tied && tensors.same(names.output, target));
  if (c.tied_output)
    imported.copies.push_back({target_path, names.output});
  else
    imported.tensors.push_back({"output/W", names.output, Layout::transposed});
  if (tied && !c.tied_output)
    imported.remarks.push_back(
        concat("the configuration ties the vocabulary's scores to the embedding, but the "
               "checkpoint holds ",
               names.output, " with other values: it is used"));
  if (!tied && c.tied_output)
    imported.remarks.push_back(
        concat("the configuration has the vocabulary's scores untied, but the checkpoint holds no ",
               names.output, ": the embedding is used"));
}

}  // namespace weft::published
