// frontend/formats/pickle.cpp -- a stack, a memo, and no calls.
#include "frontend/formats/pickle.h"

#include "ir/error.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace weft::formats {
namespace {

using ir::concat;
using ir::Dims;
using ir::DType;
using ir::GraphError;

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

enum class Kind {
  none,
  boolean,
  integer,
  wide,
  real,
  text,
  tuple,
  list,
  dict,
  name,
  storage,
  tensor
};

// A value: a number, or the place of something in the machine's stores.
struct Value {
  Kind kind = Kind::none;
  int64_t n = 0;
};

}  // namespace

bool PickledTensor::is_dense() const {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return true;
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0; step *= dims[i])
    if (dims[i] != 1 && strides[i] != step) return false;
  return true;
}

class Pickle::Machine {
 public:
  Machine(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {
    while (!done_) step();
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw GraphError(concat(where_, ": ", why));
  }

  const std::string& text(const Value& v) const { return texts_[static_cast<size_t>(v.n)]; }
  const std::vector<Value>& items(const Value& v) const { return lists_[static_cast<size_t>(v.n)]; }
  const PickledTensor& tensor(const Value& v) const { return tensors_[static_cast<size_t>(v.n)]; }
  const Value& result() const { return result_; }
  size_t at() const { return at_; }

 private:
  // --- bytes

  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) fail(concat("is cut off at byte ", bytes_.size()));
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  uint64_t number(size_t count) {
    const std::string_view bytes = take(count);
    uint64_t n = 0;
    for (size_t i = count; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[i]);
    return n;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == bytes_.npos) fail(concat("is cut off at byte ", bytes_.size()));
    const std::string_view text = take(end - at_);
    ++at_;
    return text;
  }

  // --- the stack

  void push(Value v) { stack_.push_back(v); }
  Value pop() {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor)
      fail(concat("takes a value that is not there at byte ", opcode_at_));
    const Value v = stack_.back();
    stack_.pop_back();
    return v;
  }
  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) fail(concat("takes a mark that is not there at byte ", opcode_at_));
    const auto from = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Value> values(from, stack_.end());
    stack_.erase(from, stack_.end());
    marks_.pop_back();
    return values;
  }
  Value kept(Kind kind, std::vector<Value> values) {
    lists_.push_back(std::move(values));
    return {kind, std::ssize(lists_) - 1};
  }
  Value kept(std::string_view text) {
    texts_.emplace_back(text);
    return {Kind::text, std::ssize(texts_) - 1};
  }
  // The list or dictionary on top of the stack.
  std::vector<Value>& top(Kind kind) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor || stack_.back().kind != kind)
      fail(concat("adds to what is no ", kind == Kind::list ? "list" : "dictionary", " at byte ",
                  opcode_at_));
    return lists_[static_cast<size_t>(stack_.back().n)];
  }
  void append(const std::vector<Value>& values) {
    std::vector<Value>& list = top(Kind::list);
    list.insert(list.end(), values.begin(), values.end());
  }
  void add_pairs(const std::vector<Value>& values) {
    if (values.size() % 2 != 0) fail(concat("has a key without a value at byte ", opcode_at_));
    std::vector<Value>& dict = top(Kind::dict);
    dict.insert(dict.end(), values.begin(), values.end());
  }
  void memorize(uint64_t place) {
    const Value v = pop();
    push(v);
    memo_[place] = v;
  }
  void recall(uint64_t place) {
    const auto at = memo_.find(place);
    if (at == memo_.end()) fail(concat("recalls what it did not keep at byte ", opcode_at_));
    push(at->second);
  }

  // --- opcodes

  void step() {
    opcode_at_ = at_;
    const auto op = static_cast<unsigned char>(take(1)[0]);
    if (!framing(op) && !number_or_text(op) && !memo(op) && !collection(op)) calling(op);
  }

  // The letters are those of Python's pickletools.
  bool framing(unsigned char op) {
    if (op == 0x80) {  // PROTO
      const uint64_t version = number(1);
      if (version > 5) fail(concat("is of protocol ", version, "; up to 5 are known"));
      return true;
    }
    if (op == 0x95) return number(8), true;  // FRAME
    if (op != '.') return false;             // STOP
    result_ = pop();
    return done_ = true;
  }

  bool number_or_text(unsigned char op) {
    const auto push_integer = [&](int64_t n) { return push({Kind::integer, n}), true; };
    const auto push_text = [&](size_t width) { return push(kept(take(number(width)))), true; };
    switch (op) {
      case 'N':  // NONE
        return push({}), true;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        return push({Kind::boolean, op == 0x88}), true;
      case 'J':  // BININT
        return push_integer(static_cast<int32_t>(number(4)));
      case 'K':  // BININT1
        return push_integer(static_cast<int64_t>(number(1)));
      case 'M':  // BININT2
        return push_integer(static_cast<int64_t>(number(2)));
      case 0x8A:  // LONG1
      case 0x8B:  // LONG4
        return long_integer(take(number(op == 0x8A ? 1 : 4))), true;
      case 'G':  // BINFLOAT, which tensors do not need
        return take(8), push({Kind::real, 0}), true;
      case 'U':   // SHORT_BINSTRING
      case 0x8C:  // SHORT_BINUNICODE
        return push_text(1);
      case 'T':  // BINSTRING
      case 'X':  // BINUNICODE
        return push_text(4);
      case 0x8D:  // BINUNICODE8
        return push_text(8);
      default:
        return false;
    }
  }

  bool memo(unsigned char op) {
    switch (op) {
      case 'q':  // BINPUT
      case 'r':  // LONG_BINPUT
        return memorize(number(op == 'q' ? 1 : 4)), true;
      case 0x94:  // MEMOIZE
        return memorize(memo_.size()), true;
      case 'h':  // BINGET
      case 'j':  // LONG_BINGET
        return recall(number(op == 'h' ? 1 : 4)), true;
      default:
        return false;
    }
  }

  bool collection(unsigned char op) {
    switch (op) {
      case '(':  // MARK
        return marks_.push_back(stack_.size()), true;
      case ')':  // EMPTY_TUPLE
        return push(kept(Kind::tuple, {})), true;
      case ']':  // EMPTY_LIST
        return push(kept(Kind::list, {})), true;
      case '}':  // EMPTY_DICT
        return push(kept(Kind::dict, {})), true;
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        return tuple(op - 0x84U), true;
      case 't':  // TUPLE
        return push(kept(Kind::tuple, pop_to_mark())), true;
      case 'l':  // LIST
        return push(kept(Kind::list, pop_to_mark())), true;
      case 'a':  // APPEND
        return append({pop()}), true;
      case 'e':  // APPENDS
        return append(pop_to_mark()), true;
      case 's': {  // SETITEM
        const Value value = pop(), key = pop();
        return add_pairs({key, value}), true;
      }
      case 'u':  // SETITEMS
        return add_pairs(pop_to_mark()), true;
      default:
        return false;
    }
  }

  void calling(unsigned char op) {
    switch (op) {
      case 'c': {  // GLOBAL
        const std::string_view module = line(), name = line();
        return push_name(module, name);
      }
      case 0x93: {  // STACK_GLOBAL
        const Value name = pop(), module = pop();
        if (name.kind != Kind::text || module.kind != Kind::text)
          fail(concat("asks for something without a name at byte ", opcode_at_));
        return push_name(text(module), text(name));
      }
      case 'R':
        return reduce();  // REDUCE
      case 'b':
        return build();  // BUILD
      case 'Q':
        return push_storage(pop());  // BINPERSID
      default:
        break;
    }
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    fail(concat("has the opcode 0x", std::string{kDigits[op >> 4], kDigits[op & 15]}, " at byte ",
                opcode_at_,
                ", which files of tensors do not need and this reader does not follow"));
  }

  void long_integer(std::string_view bytes) {
    if (bytes.size() <= 8) {
      int64_t n = 0;
      if (!bytes.empty() && (bytes.back() & 0x80) != 0) n = -1;
      std::memcpy(&n, bytes.data(), bytes.size());
      return push({Kind::integer, n});
    }
    push({Kind::wide, kept(bytes).n});
  }

  void tuple(size_t count) {
    std::vector<Value> values(count);
    while (count > 0) values[--count] = pop();
    push(kept(Kind::tuple, std::move(values)));
  }

  void push_name(std::string_view module, std::string_view name) {
    for (size_t i = 0; i < std::size(kKnownNames); ++i)
      if (kKnownNames[i].module == module && kKnownNames[i].name == name)
        return push({Kind::name, static_cast<int64_t>(i)});
    fail(concat("asks for '", printable(module), ".", printable(name),
                "', which tensors are not made of; nothing of it was run"));
  }
  const KnownName& name(const Value& v) const { return kKnownNames[static_cast<size_t>(v.n)]; }

  // --- what stands for calls

  const std::vector<Value>& arguments(const Value& v, size_t least, size_t most) const {
    if (v.kind != Kind::tuple) fail(concat("calls without a tuple at byte ", opcode_at_));
    if (items(v).size() < least || items(v).size() > most)
      fail(concat("describes a tensor by ", items(v).size(), " values at byte ", opcode_at_));
    return items(v);
  }
  int64_t whole(const Value& v, std::string_view what) const {
    if (v.kind != Kind::integer || v.n < 0)
      fail(concat("has ", what, " that is no whole number from 0 on at byte ", opcode_at_));
    return v.n;
  }
  Dims wholes(const Value& v, std::string_view what) const {
    if (v.kind != Kind::tuple && v.kind != Kind::list)
      fail(concat("has ", what, " that is no tuple at byte ", opcode_at_));
    if (items(v).size() > kMostRank)
      fail(concat("has a tensor of rank ", items(v).size(), ", at most ", kMostRank, " are read"));
    Dims dims;
    for (const Value& n : items(v)) dims.push_back(whole(n, what));
    return dims;
  }

  // ("storage", type, key, device, elements[, None])
  void push_storage(const Value& id) {
    if (id.kind != Kind::tuple || items(id).size() < 5 || items(id).size() > 6)
      fail(concat("has a reference that is no storage's at byte ", opcode_at_));
    const std::vector<Value>& v = items(id);
    const bool is_storage = v[0].kind == Kind::text && text(v[0]) == "storage" &&
                            v[1].kind == Kind::name && name(v[1]).storage &&
                            v[2].kind == Kind::text;
    if (!is_storage) fail(concat("has a reference that is no storage's at byte ", opcode_at_));
    if (v.size() == 6 && v[5].kind != Kind::none)
      fail("has a storage that is a view of another one, as versions before 0.4 wrote them");
    PickledStorage storage{.key = text(v[2]), .dtype = *name(v[1]).storage};
    storage.count = whole(v[4], "a storage's size");
    if (storage.count > kMostElements)
      fail(concat("has a storage of ", storage.count, " elements"));
    storages_.push_back(std::move(storage));
    push({Kind::storage, std::ssize(storages_) - 1});
  }

  void reduce() {
    const Value given = pop(), called = pop();
    const Callable what = called.kind == Kind::name ? name(called).callable : Callable::none;
    switch (what) {
      case Callable::ordered_dict:
        return push(ordered_dict(given));
      case Callable::tensor:
        return push_tensor(arguments(given, 4, 4));
      case Callable::tensor_v2:
        return push_tensor(arguments(given, 6, 7));
      case Callable::parameter: {
        const Value data = arguments(given, 3, 4)[0];
        if (data.kind != Kind::tensor)
          fail(concat("has a parameter of no tensor at byte ", opcode_at_));
        return push(data);
      }
      case Callable::none:
        break;
    }
    fail(concat("calls what cannot be called at byte ", opcode_at_));
  }

  // (), or ([(key, value), ...],)
  Value ordered_dict(const Value& given) {
    const std::vector<Value> values = arguments(given, 0, 1);
    std::vector<Value> pairs;
    if (!values.empty()) {
      if (values[0].kind != Kind::list)
        fail(concat("has a dictionary of no list at byte ", opcode_at_));
      for (const Value& pair : items(values[0])) {
        if ((pair.kind != Kind::tuple && pair.kind != Kind::list) || items(pair).size() != 2)
          fail(concat("has a key without a value at byte ", opcode_at_));
        pairs.insert(pairs.end(), items(pair).begin(), items(pair).end());
      }
      if ((copied_ += pairs.size()) > bytes_.size())
        fail(concat("makes more of its lists than it has bytes, at byte ", opcode_at_));
    }
    return kept(Kind::dict, std::move(pairs));
  }

  // storage, offset, dims, strides, and whether and how it is trained
  void push_tensor(const std::vector<Value>& v) {
    if (v[0].kind != Kind::storage) fail(concat("has a tensor of no storage at byte ", opcode_at_));
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
    push({Kind::tensor, std::ssize(tensors_) - 1});
  }

  // What is set beside a dictionary's entries (PyTorch's versions of modules) is not needed.
  void build() {
    const Value state = pop();
    (void)top(Kind::dict);
    if (state.kind != Kind::dict && state.kind != Kind::tuple)
      fail(concat("sets what is no dictionary at byte ", opcode_at_));
  }

  std::string_view bytes_;
  std::string where_;
  size_t at_ = 0, opcode_at_ = 0;
  bool done_ = false;
  Value result_;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  size_t copied_ = 0;          // values of lists that became dictionaries
  std::unordered_map<uint64_t, Value> memo_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Value>> lists_;  // of a dictionary: keys and values in turn
  std::deque<PickledStorage> storages_;
  std::deque<PickledTensor> tensors_;
};

Pickle::Pickle(std::string_view bytes, std::string where)
    : machine_(std::make_unique<Machine>(bytes, std::move(where))) {}
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
