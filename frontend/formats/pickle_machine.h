// frontend/formats/pickle_machine.h -- the opcodes of a Python pickle: a stack, a memo, and no calls.
//
// Knows the opcodes that build numbers, texts, tuples, lists and dictionaries; every other one ends it.
// What a name, a reference or a call stands for is up to the class that derives from it. Errors are
// GraphErrors that begin with `where` and say the byte.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::formats {

class PickleMachine {
 public:
  enum class Kind {
    none,
    boolean,
    integer,
    wide,  // an integer of more than 8 bytes: text() has them
    real,
    text,
    tuple,
    list,
    dict,  // items(): keys and values in turn
    name,  // this and what follows: of the deriving class
    storage,
    tensor
  };

  // A value: a number, or the place of something in the machine's stores.
  struct Value {
    Kind kind = Kind::none;
    int64_t n = 0;
  };

  virtual ~PickleMachine() = default;

  // Follows the pickle to its end.
  void run();

  const Value& result() const { return result_; }
  size_t at() const { return at_; }  // bytes read
  const std::string& text(const Value& v) const { return texts_[static_cast<size_t>(v.n)]; }
  const std::vector<Value>& items(const Value& v) const { return lists_[static_cast<size_t>(v.n)]; }
  [[noreturn]] void fail(const std::string& why) const;

 protected:
  PickleMachine(std::string_view bytes, std::string where);

  virtual Value global(std::string_view module, std::string_view name) = 0;
  virtual Value call(const Value& called, const Value& given) = 0;
  virtual Value persistent(const Value& id) = 0;

  Value kept(Kind kind, std::vector<Value> values);
  Value kept(std::string_view text);
  size_t opcode_at() const { return opcode_at_; }
  size_t size() const { return bytes_.size(); }  // of the pickle, in bytes

 private:
  std::string_view take(uint64_t count);
  uint64_t number(size_t count);
  std::string_view line();

  void push(Value v) { stack_.push_back(v); }
  Value pop();
  std::vector<Value> pop_to_mark();
  std::vector<Value>& top(Kind kind);
  void append(const std::vector<Value>& values);
  void add_pairs(const std::vector<Value>& values);
  void memorize(uint64_t place);
  void recall(uint64_t place);

  void step();
  bool framing(unsigned char op);
  bool number_or_text(unsigned char op);
  bool memo(unsigned char op);
  bool collection(unsigned char op);
  void calling(unsigned char op);
  void long_integer(std::string_view bytes);
  void tuple(size_t count);
  void build();

  std::string_view bytes_;
  std::string where_;
  size_t at_ = 0, opcode_at_ = 0;
  bool done_ = false;
  Value result_;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, Value> memo_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Value>> lists_;
};

}  // namespace weft::formats
