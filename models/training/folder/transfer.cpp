// models/training/folder/transfer.cpp -- parameters by name, rows of vocabularies by token.
#include "models/training/folder/transfer.h"

#include "frontend/formats/checkpoint.h"
#include "ir/error.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

namespace weft::training {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;

enum class Side { source, target };

// Which axis of a parameter counts the tokens of a vocabulary, and of which.
struct VocabularyAxis {
  size_t axis = 0;
  Side side = Side::target;
};

std::map<std::string, ir::Dims> shapes_of(const seq2seq::Settings& config) {
  std::map<std::string, ir::Dims> shapes;
  const ir::Graph graph = seq2seq::loss_graph(config, false);
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter)
      shapes[a.path] = ir::values(graph.type(a.value).shape, {});
  return shapes;
}

// The axes that grow with a vocabulary: no family has to say which they are.
std::map<std::string, VocabularyAxis> vocabulary_axes(const seq2seq::Settings& config) {
  const std::map<std::string, ir::Dims> shapes = shapes_of(config);
  std::map<std::string, VocabularyAxis> axes;
  const auto grow = [&](int64_t source, int64_t target, Side side) {
    seq2seq::Settings larger = config;
    seq2seq::Ends ends = seq2seq::ends(larger);
    ends.source.vocabulary += source;
    ends.target_vocabulary += target;
    seq2seq::set_ends(larger, ends);
    for (const auto& [path, dims] : shapes_of(larger))
      for (size_t i = 0; i < dims.size(); ++i)
        if (dims[i] != shapes.at(path)[i]) axes[path] = {i, side};
  };
  try {
    if (seq2seq::ends(config).source.kind == data::SourceKind::tokens) grow(1, 0, Side::source);
    grow(0, 1, Side::target);
  } catch (const GraphError&) {  // one table for both sides
    axes.clear();
    grow(1, 1, Side::target);
  }
  return axes;
}

// Of each token its row before, or -1.
std::vector<int64_t> rows_before(const data::Vocabulary& before, const data::Vocabulary& now) {
  std::unordered_map<std::string, int64_t> ids;
  for (const std::string& token : before.tokens())
    ids.emplace(token, static_cast<int64_t>(ids.size()));
  std::vector<int64_t> rows;
  for (const std::string& token : now.tokens()) {
    const auto found = ids.find(token);
    rows.push_back(found == ids.end() ? -1 : found->second);
  }
  return rows;
}

int64_t product(const ir::Dims& dims, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i) n *= dims[i];
  return n;
}

// `fresh` with the rows along `axis` that there were before.
Array with_rows(const Array& fresh, const Array& before, size_t axis,
                const std::vector<int64_t>& rows) {
  Array result = fresh.clone();
  const int64_t outer = product(fresh.dims(), 0, axis),
                inner = product(fresh.dims(), axis + 1, fresh.dims().size()),
                many = before.dim(static_cast<int>(axis));
  const auto count = static_cast<int64_t>(rows.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t r = 0; r < count; ++r) {
      const int64_t from = rows[static_cast<size_t>(r)];
      if (from < 0) continue;
      for (int64_t i = 0; i < inner; ++i)
        result.set((o * count + r) * inner + i, before.at((o * many + from) * inner + i));
    }
  return result;
}

Array in_dtype(const Array& array, ir::DType dtype) {
  if (array.dtype() == dtype) return array;
  Array result(dtype, array.dims());
  for (int64_t i = 0; i < array.size(); ++i) result.set(i, array.at(i));
  return result;
}

// Names with what is to be said of them, a few of each kind.
struct Faults {
  std::vector<std::string> missing, beside, shaped;

  void check(const std::string& path, bool other_vocabulary) const {
    std::string text;
    const auto add = [&](const char* what, const std::vector<std::string>& names) {
      constexpr size_t kMost = 5;
      if (names.empty()) return;
      text += concat(text.empty() ? "" : "; ", what);
      for (size_t i = 0; i < std::min(kMost, names.size()); ++i)
        text += concat(i == 0 ? " " : ", ", names[i]);
      if (names.size() > kMost) text += concat(" and ", names.size() - kMost, " more");
    };
    add("lacks", missing);
    add("holds beside what the model has", beside);
    add("has of another shape", shaped);
    if (text.empty()) return;
    if (other_vocabulary)
      text += "; the tokens of another vocabulary are known of a model folder only";
    throw GraphError(concat(path, ": error: ", text));
  }
};

}  // namespace

Pretrained open_pretrained(const std::string& path) {
  if (!std::filesystem::is_directory(path))
    return {
        .path = path, .parameters = formats::open_checkpoint(path)->read_all(), .tokenizers = {}};
  const ModelFolder folder(path);
  return {
      .path = path, .parameters = folder.load().parameters(), .tokenizers = folder.tokenizers()};
}

std::string Transfer::str() const {
  std::string text = concat(parameters, " parameters");
  for (const Rows& r : rows)
    text += concat("; of the ", r.side, " vocabulary ", r.taken, " tokens, ", r.fresh, " are new");
  return text;
}

Transfer take_over(ParameterStore& store, const Pretrained& before, const seq2seq::Settings& config,
                   const Tokenizers& now) {
  const std::map<std::string, ir::Dims> shapes = shapes_of(config);
  const std::map<std::string, VocabularyAxis> axes = vocabulary_axes(config);
  std::map<Side, std::vector<int64_t>> rows;  // of vocabularies that are others
  if (before.tokenizers)
    for (const auto& [side, then, is] :
         {std::tuple(Side::source, &before.tokenizers->source, &now.source),
          {Side::target, &before.tokenizers->target, &now.target}})
      if (then->vocabulary().tokens() != is->vocabulary().tokens())
        rows[side] = rows_before(then->vocabulary(), is->vocabulary());
  Faults faults;
  bool other_vocabulary = false;
  std::map<std::string, Array> values;
  for (const auto& [path, needed] : shapes) {
    const Array* const found = before.parameters.find(path);
    if (found == nullptr) {
      faults.missing.push_back(concat(path, " ", ir::dims_str(needed)));
      continue;
    }
    const auto axis = axes.find(path);
    const auto mapped = axis == axes.end() ? rows.end() : rows.find(axis->second.side);
    ir::Dims dims = found->dims();
    const bool by_rows = mapped != rows.end() && dims.size() == needed.size();
    if (by_rows) dims[axis->second.axis] = needed[axis->second.axis];
    if (!ir::is_float(found->dtype()) || dims != needed) {
      faults.shaped.push_back(concat(path, " ", ir::name(found->dtype()),
                                     ir::dims_str(found->dims()), ", needed ",
                                     ir::dims_str(needed)));
      other_vocabulary |= axis != axes.end() && !before.tokenizers;
      continue;
    }
    values[path] = by_rows ? with_rows(store.at(path), *found, axis->second.axis, mapped->second)
                           : in_dtype(*found, store.real());
  }
  for (const auto& entry : before.parameters)
    if (!shapes.contains(entry.name))
      faults.beside.push_back(
          concat(entry.name, " ", ir::name(entry.array.dtype()), ir::dims_str(entry.array.dims())));
  faults.check(before.path, other_vocabulary);
  Transfer transfer{.parameters = std::ssize(values)};
  for (auto& [path, value] : values) store.set(path, ir::ArgumentKind::parameter, std::move(value));
  for (const auto& [side, list] : rows) {
    const int64_t fresh = std::count(list.begin(), list.end(), -1);
    transfer.rows.push_back(
        {side == Side::source ? "source" : "target", std::ssize(list) - fresh, fresh});
  }
  return transfer;
}

void freeze(ir::Graph& graph, const std::vector<std::string>& globs) {
  for (const std::string& glob : globs) {
    bool matches = false;
    std::string names;
    for (const ir::Argument& a : graph.arguments()) {
      if (a.kind != ir::ArgumentKind::parameter) continue;
      names += (names.empty() ? "" : ", ") + a.path;
      if (fnmatch(glob.c_str(), a.path.c_str(), 0) != 0) continue;
      matches = true;
      graph.set_trainable(graph.argument_index(a.value), false);
    }
    if (!matches)
      throw GraphError(
          concat("freeze: no parameter's name matches '", glob, "'; there are ", names));
  }
  if (trainable_parameters(graph).empty() && !globs.empty())
    throw GraphError("freeze: all parameters are frozen, there is nothing to train");
}

}  // namespace weft::training
