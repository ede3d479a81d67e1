// frontend/formats/pickle.cpp -- the names and calls by which PyTorch describes tensors.
#include "frontend/formats/pickle.h"

#include "frontend/formats/pickle_machine.h"
#include "ir/error.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_set>

namespace weft::formats {
namespace {

using ir::concat;
using ir::Dims;
using ir::DType;
using Kind = PickleMachine::Kind;
using Value = PickleMachine::Value;

constexpr size_t kMostRank = 16;
constexpr int64_t kMostElements = int64_t{1} << 48;

// What a name stands for.
enum class Callable { none, ordered_dict, tensor, tensor_v2, parameter };
struct KnownName {
  std::string_view module, name;
  Callable callable;
  std::optional<DType> storage;  // its elements
};
constexpr KnownName kKnownNames[] = {
    {"collections", "OrderedDict", Callable::ordered_dict, std::nullopt},
    {"torch._utils", "_rebuild_tensor", Callable::tensor, std::nullopt},
    {"torch._utils", "_rebuild_tensor_v2", Callable::tensor_v2, std::nullopt},
    {"torch._utils", "_rebuild_parameter", Callable::parameter, std::nullopt},
    {"torch", "FloatStorage", Callable::none, DType::f32},
    {"torch", "DoubleStorage", Callable::none, DType::f64},
    {"torch", "HalfStorage", Callable::none, DType::f16},
    {"torch", "BFloat16Storage", Callable::none, DType::bf16},
    {"torch", "LongStorage", Callable::none, DType::s64},
    {"torch", "IntStorage", Callable::none, DType::s32},
    {"torch", "CharStorage", Callable::none, DType::s8},
    {"torch", "ByteStorage", Callable::none, DType::u8},
    {"torch", "BoolStorage", Callable::none, DType::pred},
};

std::string printable(std::string_view text) {
  std::string clean(text.substr(0, 80));
  for (char& c : clean)
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7F) c = '?';
  return clean;
}

}  // namespace

bool PickledTensor::is_dense() const {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return true;
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0; step *= dims[i])
    if (dims[i] != 1 && strides[i] != step) return false;
  return true;
}

class Pickle::Machine : public PickleMachine {
 public:
  Machine(std::string_view bytes, std::string where) : PickleMachine(bytes, std::move(where)) {}

  const PickledTensor& tensor(const Value& v) const { return tensors_[static_cast<size_t>(v.n)]; }

 private:
  Value global(std::string_view module, std::string_view name) override {
    for (size_t i = 0; i < std::size(kKnownNames); ++i)
      if (kKnownNames[i].module == module && kKnownNames[i].name == name)
        return {Kind::name, static_cast<int64_t>(i)};
    fail(concat("asks for '", printable(module), ".", printable(name),
                "', which tensors are not made of; nothing of it was run"));
  }
  const KnownName& name(const Value& v) const { return kKnownNames[static_cast<size_t>(v.n)]; }

  // --- what stands for calls

  const std::vector<Value>& arguments(const Value& v, size_t least, size_t most) const {
    if (v.kind != Kind::tuple) fail(concat("calls without a tuple at byte ", opcode_at()));
    if (items(v).size() < least || items(v).size() > most)
      fail(concat("describes a tensor by ", items(v).size(), " values at byte ", opcode_at()));
    return items(v);
  }
  int64_t whole(const Value& v, std::string_view what) const {
    if (v.kind != Kind::integer || v.n < 0)
      fail(concat("has ", what, " that is no whole number from 0 on at byte ", opcode_at()));
    return v.n;
  }
  Dims wholes(const Value& v, std::string_view what) const {
    if (v.kind != Kind::tuple && v.kind != Kind::list)
      fail(concat("has ", what, " that is no tuple at byte ", opcode_at()));
    if (items(v).size() > kMostRank)
      fail(concat("has a tensor of rank ", items(v).size(), ", at most ", kMostRank, " are read"));
    Dims dims;
    for (const Value& n : items(v)) dims.push_back(whole(n, what));
    return dims;
  }

  // ("storage", type, key, device, elements[, None])
  Value persistent(const Value& id) override {
    if (id.kind != Kind::tuple || items(id).size() < 5 || items(id).size() > 6)
      fail(concat("has a reference that is no storage's at byte ", opcode_at()));
    const std::vector<Value>& v = items(id);
    const bool is_storage = v[0].kind == Kind::text && text(v[0]) == "storage" &&
                            v[1].kind == Kind::name && name(v[1]).storage &&
                            v[2].kind == Kind::text;
    if (!is_storage) fail(concat("has a reference that is no storage's at byte ", opcode_at()));
    if (v.size() == 6 && v[5].kind != Kind::none)
      fail("has a storage that is a view of another one, as versions before 0.4 wrote them");
    PickledStorage storage{.key = text(v[2]), .dtype = *name(v[1]).storage};
    storage.count = whole(v[4], "a storage's size");
    if (storage.count > kMostElements)
      fail(concat("has a storage of ", storage.count, " elements"));
    storages_.push_back(std::move(storage));
    return {Kind::storage, std::ssize(storages_) - 1};
  }

  Value call(const Value& called, const Value& given) override {
    const Callable what = called.kind == Kind::name ? name(called).callable : Callable::none;
    switch (what) {
      case Callable::ordered_dict:
        return ordered_dict(given);
      case Callable::tensor:
        return tensor_of(arguments(given, 4, 4));
      case Callable::tensor_v2:
        return tensor_of(arguments(given, 6, 7));
      case Callable::parameter: {
        const Value data = arguments(given, 3, 4)[0];
        if (data.kind != Kind::tensor)
          fail(concat("has a parameter of no tensor at byte ", opcode_at()));
        return data;
      }
      case Callable::none:
        break;
    }
    fail(concat("calls what cannot be called at byte ", opcode_at()));
  }

  // (), or ([(key, value), ...],)
  Value ordered_dict(const Value& given) {
    const std::vector<Value> values = arguments(given, 0, 1);
    std::vector<Value> pairs;
    if (!values.empty()) {
      if (values[0].kind != Kind::list)
        fail(concat("has a dictionary of no list at byte ", opcode_at()));
      for (const Value& pair : items(values[0])) {
        if ((pair.kind != Kind::tuple && pair.kind != Kind::list) || items(pair).size() != 2)
          fail(concat("has a key without a value at byte ", opcode_at()));
        pairs.insert(pairs.end(), items(pair).begin(), items(pair).end());
      }
      if ((copied_ += pairs.size()) > size())
        fail(concat("makes more of its lists than it has bytes, at byte ", opcode_at()));
    }
    return kept(Kind::dict, std::move(pairs));
  }

  // storage, offset, dims, strides, and whether and how it is trained
  Value tensor_of(const std::vector<Value>& v) {
    if (v[0].kind != Kind::storage)
      fail(concat("has a tensor of no storage at byte ", opcode_at()));
    PickledTensor t{.storage = &storages_[static_cast<size_t>(v[0].n)],
                    .offset = whole(v[1], "an offset"),
                    .dims = wholes(v[2], "a shape"),
                    .strides = wholes(v[3], "strides")};
    const std::string what = concat("has a tensor ", ir::dims_str(t.dims), " with strides ",
                                    ir::dims_str(t.strides), " ");
    if (t.dims.size() != t.strides.size()) fail(what);
    const int64_t room = t.storage->count;
    bool empty = false;
    for (const int64_t d : t.dims) {
      empty = empty || d == 0;
      if (d > kMostElements) fail(what);
    }
    int64_t last = t.offset, count = 1;
    const auto beyond = [&] { fail(concat(what, "that reaches beyond its storage of ", room)); };
    if (t.offset > room) beyond();
    for (size_t i = 0; i < t.dims.size() && !empty; ++i) {
      if (t.dims[i] > room || count > room / t.dims[i])
        fail(concat(what, "that has more elements than its storage of ", room));
      count *= t.dims[i];
      if (t.dims[i] > 1 && t.strides[i] > (room - last) / (t.dims[i] - 1)) beyond();
      last += (t.dims[i] - 1) * (t.dims[i] > 1 ? t.strides[i] : 0);
    }
    if (!empty && last >= room) beyond();
    tensors_.push_back(std::move(t));
    return {Kind::tensor, std::ssize(tensors_) - 1};
  }

  size_t copied_ = 0;  // values of lists that became dictionaries
  std::deque<PickledStorage> storages_;
  std::deque<PickledTensor> tensors_;
};

Pickle::Pickle(std::string_view bytes, std::string where)
    : machine_(std::make_unique<Machine>(bytes, std::move(where))) {
  machine_->run();
}
Pickle::~Pickle() = default;

size_t Pickle::bytes() const { return machine_->at(); }

std::vector<std::pair<std::string, PickledTensor>> Pickle::tensors() const {
  const Machine& m = *machine_;
  if (m.result().kind != Kind::dict) m.fail("is no dictionary of names to tensors");
  const std::vector<Value>& pairs = m.items(m.result());
  std::vector<std::pair<std::string, PickledTensor>> all;
  std::unordered_set<std::string> names;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (pairs[i].kind != Kind::text)
      m.fail("has a key that is no text; names of tensors are needed");
    const std::string& name = m.text(pairs[i]);
    if (pairs[i + 1].kind != Kind::tensor)
      m.fail(concat("has '", printable(name),
                    "', which is no tensor; a file of nothing else is needed"));
    if (!names.insert(name).second) m.fail(concat("has '", printable(name), "' twice"));
    all.emplace_back(name, m.tensor(pairs[i + 1]));
  }
  return all;
}

std::vector<std::string> Pickle::texts() const {
  const Machine& m = *machine_;
  std::vector<std::string> all;
  if (m.result().kind != Kind::list) m.fail("is no list");
  for (const Value& v : m.items(m.result())) {
    if (v.kind != Kind::text) m.fail("is no list of texts");
    all.push_back(m.text(v));
  }
  return all;
}

std::string Pickle::integer() const {
  const Value& v = machine_->result();
  std::string bytes;
  if (v.kind == Kind::wide) {
    bytes = machine_->text({Kind::text, v.n});
  } else if (v.kind == Kind::integer) {
    bytes.resize(sizeof v.n);
    std::memcpy(bytes.data(), &v.n, sizeof v.n);
  } else {
    machine_->fail("is no whole number");
  }
  std::string digits;
  for (size_t i = bytes.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    for (const int nibble : {byte >> 4, byte & 15})
      if (nibble != 0 || !digits.empty()) digits += "0123456789abcdef"[nibble];
  }
  return digits;
}

bool Pickle::flag(std::string_view key, bool otherwise) const {
  const Machine& m = *machine_;
  if (m.result().kind != Kind::dict) m.fail("is no dictionary");
  const std::vector<Value>& pairs = m.items(m.result());
  for (size_t i = 0; i + 1 < pairs.size(); i += 2)
    if (pairs[i].kind == Kind::text && m.text(pairs[i]) == key) return pairs[i + 1].n != 0;
  return otherwise;
}

}  // namespace weft::formats
