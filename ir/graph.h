// ir/graph.h -- the program: arguments, nodes in topological order, results.
//
// A graph owns its nodes; a `Value` is a handle into one graph. Nodes are only ever appended, with
// their types inferred, so that a wrong graph cannot be built and the list is always sorted. Passes
// never edit a graph: they make a new one (ir/rewrite/rewrite.h).
#pragma once
#include "ir/attrs.h"
#include "ir/op_def.h"
#include "ir/source_loc.h"
#include "ir/type.h"

#include <memory>
#include <string>
#include <vector>

namespace weft::ir {

struct Value {
  int id = -1;
  bool valid() const { return id >= 0; }
  bool operator==(const Value&) const = default;
  auto operator<=>(const Value&) const = default;
};

using Values = std::vector<Value>;

// A node the user wrote; nodes made by passes refer to those they replace.
struct Origin {
  int number = 0;  // in the order the user made them
  std::string op, scope;
  SourceLoc loc;
};
using Origins =
    std::vector<std::shared_ptr<const Origin>>;  // sorted (number, scope, op), each once
Origins united(const Origins& a, const Origins& b);

enum class Part : uint8_t { forward, backward, optimizer };  // of a training graph

// Where a node comes from; passes hand on that of the node they replace.
struct Provenance {
  std::string scope;  // "decoder/attention"
  SourceLoc loc;
  Origins origins;
  Part part = Part::forward;

  Provenance();
  Provenance(std::string scope, SourceLoc loc, Origins origins = {}, Part part = Part::forward);
  Provenance(const Provenance& other);
  Provenance(Provenance&& other) noexcept;
  Provenance& operator=(const Provenance& other);
  Provenance& operator=(Provenance&& other) noexcept;
  ~Provenance();
};

struct Node {
  const OpDef* op = nullptr;
  Values operands;
  std::vector<int> group_sizes;  // one for each of op->operands; they sum to operands.size()
  Values results;
  Attrs attrs;  // canonical: sorted, defaults left out
  std::vector<Graph> regions;
  Provenance from;

  Node();
  Node(const Node& other);
  Node(Node&& other) noexcept;
  Node& operator=(const Node& other);
  Node& operator=(Node&& other) noexcept;
  ~Node();
};

enum class ArgumentKind : uint8_t { input, parameter, state };

struct Argument {
  Value value;
  ArgumentKind kind = ArgumentKind::input;
  std::string path;         // of a parameter or state: its name in checkpoints
  std::string initializer;  // of a parameter: "glorot_uniform", "zeros", "normal(0.01)", ...
  bool trainable = true;
  bool donated = false;  // its buffer may be reused for a result
};

struct Output {
  std::string name;
  Value value;
};

struct ValueInfo {
  TensorType type;
  int node = -1;     // of the node that makes it; -1: an argument
  int index = 0;     // which result of that node, or which argument
  std::string name;  // without '%'; empty: numbered when printed
};

// Operands by group, in the order the op declares them.
using OperandGroups = std::vector<Values>;

class Graph {
 public:
  std::string name = "main";

  Graph();
  Graph(const Graph& other);
  Graph(Graph&& other) noexcept;
  Graph& operator=(const Graph& other);
  Graph& operator=(Graph&& other) noexcept;
  ~Graph();

  // --- building
  Value add_argument(const TensorType& type, std::string name,
                     ArgumentKind kind = ArgumentKind::input, std::string path = {},
                     std::string initializer = {}, bool trainable = true);
  // Appends a node, its result types inferred and its attributes made canonical.
  // Throws GraphError where the op's rules are broken; the graph is then as it was.
  Values add(const OpDef& op, const OperandGroups& groups, Attrs attrs = {}, Provenance from = {},
             std::vector<Graph> regions = {});
  // Appends a copy of a node of another graph with these operands, its types taken over unchecked.
  Values add_copy(const Graph& other, const Node& node, Values operands);
  void add_output(std::string name, Value value);
  void set_name(Value value, std::string name);
  void set_outputs(std::vector<Output> outputs);
  void set_donated(int argument, bool donated) {
    arguments_[static_cast<size_t>(argument)].donated = donated;
  }
  void set_trainable(int argument, bool t) {
    arguments_[static_cast<size_t>(argument)].trainable = t;
  }
  void set_node_provenance(int node, Provenance from);

  // --- reading
  const std::vector<Argument>& arguments() const { return arguments_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  const ValueInfo& info(Value v) const { return values_[static_cast<size_t>(v.id)]; }
  const TensorType& type(Value v) const { return info(v).type; }
  const Node* producer(Value v) const {  // null: an argument
    const int n = info(v).node;
    return n < 0 ? nullptr : &nodes_[static_cast<size_t>(n)];
  }
  int value_count() const { return static_cast<int>(values_.size()); }
  int argument_index(Value v) const { return info(v).node < 0 ? info(v).index : -1; }
  int find_argument(std::string_view path_or_name) const;  // -1: none
  int find_output(std::string_view name) const;            // -1: none
  std::string display_name(Value v) const;                 // "%q" or "%17"
  std::vector<std::string> symbols() const;                // of all argument types, sorted
  // Nodes, those of regions included.
  int node_count() const;

 private:
  std::vector<Argument> arguments_;
  std::vector<Node> nodes_;
  std::vector<ValueInfo> values_;
  std::vector<Output> outputs_;
};

// Uses of each value: the reading nodes' indexes, one entry a reading operand; outputs count as -1.
std::vector<std::vector<int>> uses(const Graph& graph);

}  // namespace weft::ir
