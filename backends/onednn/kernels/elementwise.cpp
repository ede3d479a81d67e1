// backends/onednn/kernels/elementwise.cpp -- from a program over N-d operands to steps over blocks.
#include "backends/onednn/kernels/elementwise.h"

#include "backends/onednn/kernels/elementwise_plan.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace weft::onednn::kernels {
namespace {

constexpr int64_t kShortRow = 32;         // shorter last dimensions are run flat
constexpr int64_t kBlock = 4096;          // elements, when nothing needs scratch
constexpr int64_t kScratchBytes = 16384;  // of all slots: half of a small L1 cache

int operand_count(Opcode op) {
  if (op == Opcode::constant) return 0;
  if (op <= Opcode::cast) return 1;
  return op == Opcode::select ? 3 : 2;
}

int64_t cost_of(Opcode op) {
  switch (op) {
    case Opcode::pow:
    case Opcode::remainder:
      return 32;
    case Opcode::exp:
    case Opcode::expm1:
    case Opcode::log:
    case Opcode::log1p:
    case Opcode::tanh:
    case Opcode::sigmoid:
    case Opcode::gelu:
    case Opcode::gelu_tanh:
    case Opcode::silu:
    case Opcode::softplus:
    case Opcode::erf:
    case Opcode::sin:
    case Opcode::cos:
      return 4;
    default:
      return 1;
  }
}

bool is_dense(const ElementwisePlan& plan, const Access& access) {
  int64_t expected = 1;
  for (int d = plan.rank - 1; d >= 0; --d) {
    if (access.strides[d] != expected) return false;
    expected *= plan.shape[d];
  }
  return true;
}

bool is_scalar(const ElementwisePlan& plan, const Access& access) {
  return std::all_of(access.strides.begin(), access.strides.begin() + plan.rank,
                     [](int64_t stride) { return stride == 0; });
}

class Builder {
 public:
  explicit Builder(const ElementwiseSpec& spec)
      : spec_(spec), program_(spec.program), results_(spec.results), plan_(new ElementwisePlan) {}
  ~Builder() { delete plan_; }

  ElementwisePlan* build(const char*& error) {
    error = check_sizes();
    if (error != nullptr) return nullptr;
    collapse();
    give_each_output_its_instruction();
    error = infer_dtypes();
    if (error != nullptr) return nullptr;
    place_inputs();
    place_registers();
    choose_block();
    return std::exchange(plan_, nullptr);
  }

 private:
  const char* check_sizes() const {
    if (spec_.shape.size() > kMaxRank) return "elementwise: the rank is above 8";
    if (spec_.results.size() != spec_.outputs.size())
      return "elementwise: not one register per output";
    if (spec_.inputs.size() + spec_.program.size() + spec_.outputs.size() > 200)
      return "elementwise: more than 200 registers";
    return nullptr;
  }

  // Drops dimensions of size 1, orders the rest by the first output's strides, merges neighbours
  // that every operand steps through as one.
  void collapse() {
    plan_->inputs = spec_.inputs;
    plan_->outputs = spec_.outputs;
    std::vector<int> order;
    for (int d = 0; d < static_cast<int>(spec_.shape.size()); ++d)
      if (spec_.shape[d] != 1) order.push_back(d);
    if (!spec_.outputs.empty())
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return spec_.outputs[0].strides[a] > spec_.outputs[0].strides[b];
      });
    std::vector<std::pair<const Access*, Access*>> accesses;
    for (size_t i = 0; i < spec_.inputs.size(); ++i)
      accesses.emplace_back(&spec_.inputs[i], &plan_->inputs[i]);
    for (size_t i = 0; i < spec_.outputs.size(); ++i)
      accesses.emplace_back(&spec_.outputs[i], &plan_->outputs[i]);
    for (auto& [from, to] : accesses) to->strides.fill(0);

    int rank = 0;
    for (const int d : order) {
      const int64_t size = spec_.shape[d];
      const bool merges = rank > 0 && std::all_of(accesses.begin(), accesses.end(), [&](auto& a) {
                            return a.second->strides[rank - 1] == a.first->strides[d] * size;
                          });
      if (merges) {
        plan_->shape[rank - 1] *= size;
      } else {
        plan_->shape[rank++] = size;
      }
      for (auto& [from, to] : accesses) to->strides[rank - 1] = from->strides[d];
    }
    if (rank == 0) {
      plan_->shape[rank++] = 1;
      for (auto& [from, to] : accesses) to->strides[0] = 1;
    }
    plan_->rank = rank;
    const int64_t total = std::accumulate(plan_->shape.begin(), plan_->shape.begin() + rank,
                                          int64_t{1}, std::multiplies<>());
    plan_->flat = rank > 1 && plan_->shape[rank - 1] < kShortRow;
    plan_->columns = plan_->flat ? total : plan_->shape[rank - 1];
    plan_->rows = plan_->columns == 0 ? 0 : total / plan_->columns;
  }

  // Afterwards output i receives the result of an instruction that serves no other output.
  void give_each_output_its_instruction() {
    std::vector<bool> taken(spec_.inputs.size() + program_.size(), false);
    for (uint8_t& result : results_) {
      if (result >= spec_.inputs.size() && result < taken.size() && !taken[result]) {
        taken[result] = true;
        continue;
      }
      program_.push_back({.op = Opcode::copy, .a = result});
      result = static_cast<uint8_t>(spec_.inputs.size() + program_.size() - 1);
    }
  }

  const char* infer_dtypes() {
    for (const Access& input : spec_.inputs) dtypes_.push_back(input.dtype);
    for (const Instruction& instruction : program_) {
      const uint8_t operands[] = {instruction.a, instruction.b, instruction.c};
      for (int i = 0; i < operand_count(instruction.op); ++i)
        if (operands[i] >= dtypes_.size())
          return "elementwise: a register is read before it is written";
      const char* error = infer(instruction);
      if (error != nullptr) return error;
    }
    for (size_t i = 0; i < results_.size(); ++i)
      if (dtypes_[results_[i]] != spec_.outputs[i].dtype)
        return "elementwise: an output's dtype is not that of its register";
    return nullptr;
  }

  const char* infer(const Instruction& instruction) {
    using enum Opcode;
    const Opcode op = instruction.op;
    const DType a = op == constant ? instruction.dtype : dtypes_[instruction.a];
    const bool number = a == DType::f32 || a == DType::s32 || a == DType::s64;
    if (operand_count(op) == 2 && dtypes_[instruction.b] != a)
      return "elementwise: operands differ in dtype";
    if (op == constant || op == cast) {
      const DType to = instruction.dtype;
      if (op == cast && (a == DType::bf16 || to == DType::bf16) && a != DType::f32 &&
          to != DType::f32)
        return "elementwise: bf16 is cast from and to f32 alone";
      dtypes_.push_back(to);
    } else if (op == select) {
      if (a != DType::u8) return "elementwise: select needs a predicate";
      if (dtypes_[instruction.b] != dtypes_[instruction.c])
        return "elementwise: operands differ in dtype";
      dtypes_.push_back(dtypes_[instruction.b]);
    } else if (op >= equal && op <= greater_equal) {
      dtypes_.push_back(DType::u8);
    } else if (op == logical_not || (op >= logical_and && op <= logical_xor)) {
      if (a != DType::u8) return "elementwise: a logical op needs predicates";
      dtypes_.push_back(DType::u8);
    } else if (op == is_finite) {
      if (a != DType::f32) return "elementwise: is_finite needs f32";
      dtypes_.push_back(DType::u8);
    } else if (op == copy) {
      dtypes_.push_back(a);
    } else {
      const bool any_number =
          op >= add || op == neg || op == abs || op == sign || op == square || op == relu;
      if (!number || (a != DType::f32 && !any_number))
        return "elementwise: the op has no such dtype";
      dtypes_.push_back(a);
    }
    return nullptr;
  }

  bool in_place(const Access& access) const {
    return plan_->flat ? is_dense(*plan_, access) : access.strides[plan_->rank - 1] == 1;
  }
  bool repeats(const Access& access) const {
    return plan_->flat ? is_scalar(*plan_, access) : access.strides[plan_->rank - 1] == 0;
  }

  void place_inputs() {
    std::vector<bool> read(dtypes_.size(), false);
    for (const Instruction& instruction : program_) {
      const uint8_t operands[] = {instruction.a, instruction.b, instruction.c};
      for (int i = 0; i < operand_count(instruction.op); ++i) read[operands[i]] = true;
    }
    places_.resize(dtypes_.size());
    for (size_t i = 0; i < plan_->inputs.size(); ++i) {
      const Access& input = plan_->inputs[i];
      if (!read[i]) continue;
      if (in_place(input) || repeats(input)) {
        places_[i] = {Place::input, static_cast<uint8_t>(i), !in_place(input)};
      } else {
        places_[i] = {Place::scratch, take_slot()};
        plan_->gathers.push_back({static_cast<uint8_t>(i), places_[i].index});
      }
    }
  }

  // A result may be written in place only when no later step reads an operand in place: the two may
  // be the same memory.
  void place_registers() {
    const size_t inputs = spec_.inputs.size();
    std::vector<size_t> last_read(dtypes_.size(), 0);
    size_t last_input_read = 0;
    for (size_t n = 0; n < program_.size(); ++n) {
      const uint8_t operands[] = {program_[n].a, program_[n].b, program_[n].c};
      for (int i = 0; i < operand_count(program_[n].op); ++i) {
        last_read[operands[i]] = n;
        if (places_[operands[i]].kind == Place::input) last_input_read = n;
      }
    }
    for (size_t n = 0; n < program_.size(); ++n) {
      const Instruction& instruction = program_[n];
      const size_t reg = inputs + n;
      const auto output = std::find(results_.begin(), results_.end(), reg);
      const auto o = static_cast<uint8_t>(output - results_.begin());
      const bool is_result = output != results_.end();
      if (!is_result && last_read[reg] <= n) continue;  // nobody reads it
      if (instruction.op == Opcode::constant && !is_result) {
        places_[reg] = {Place::constant, add_constant(instruction), true};
        continue;
      }
      if (is_result && n >= last_input_read && in_place(plan_->outputs[o])) {
        places_[reg] = {Place::output, o};
      } else {
        places_[reg] = {Place::scratch, take_slot()};
        if (is_result) plan_->scatters.push_back({o, places_[reg].index});
      }
      add_step(instruction, reg);
      const uint8_t operands[] = {instruction.a, instruction.b, instruction.c};
      for (int i = 0; i < operand_count(instruction.op); ++i) release(operands[i], last_read, n);
    }
  }

  void release(uint8_t reg, const std::vector<size_t>& last_read, size_t now) {
    const bool kept = std::find(results_.begin(), results_.end(), reg) != results_.end();
    if (kept || places_[reg].kind != Place::scratch || last_read[reg] != now) return;
    if (std::find(free_.begin(), free_.end(), places_[reg].index) == free_.end())
      free_.push_back(places_[reg].index);
  }

  void add_step(const Instruction& instruction, size_t reg) {
    const Opcode op = instruction.op;
    Step step{.op = op, .from = dtypes_[reg], .to = dtypes_[reg], .dst = places_[reg]};
    if (op == Opcode::constant) {
      step.op = Opcode::copy;
      step.a = {Place::constant, add_constant(instruction), true};
    } else {
      step.a = places_[instruction.a];
      step.from = dtypes_[op == Opcode::select ? instruction.b : instruction.a];
      if (operand_count(op) >= 2) step.b = places_[instruction.b];
      if (operand_count(op) == 3) step.c = places_[instruction.c];
    }
    plan_->cost += cost_of(op);
    plan_->steps.push_back(step);
  }

  uint8_t add_constant(const Instruction& instruction) {
    uint64_t bits = 0;
    if (instruction.dtype == DType::f32) {
      const auto value = static_cast<float>(instruction.immediate);
      std::memcpy(&bits, &value, sizeof value);
    } else {
      std::memcpy(&bits, &instruction.integer, static_cast<size_t>(bytes(instruction.dtype)));
    }
    plan_->constants.push_back(bits);
    return static_cast<uint8_t>(plan_->constants.size() - 1);
  }

  uint8_t take_slot() {
    if (free_.empty()) return static_cast<uint8_t>(plan_->slots++);
    const uint8_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void choose_block() {
    int64_t width = 1;
    for (const DType dtype : dtypes_) width = std::max(width, bytes(dtype));
    plan_->block = kBlock;
    if (plan_->slots > 0)
      plan_->block =
          std::clamp<int64_t>(kScratchBytes / (plan_->slots * width) / 64 * 64, 64, kBlock);
    plan_->slot_bytes = plan_->block * width;
  }

  const ElementwiseSpec& spec_;
  std::vector<Instruction> program_;
  std::vector<uint8_t> results_;
  std::vector<DType> dtypes_;
  std::vector<Place> places_;
  std::vector<uint8_t> free_;
  ElementwisePlan* plan_;
};

}  // namespace

void ElementwisePlanDeleter::operator()(ElementwisePlan* plan) const { delete plan; }

Elementwise::Elementwise(const ElementwiseSpec& spec) : plan_(Builder(spec).build(error_)) {}
Elementwise::~Elementwise() = default;

size_t Elementwise::workspace_bytes() const {
  if (plan_ == nullptr) return 0;
  return static_cast<size_t>(plan_->slots * plan_->slot_bytes * omp_get_max_threads());
}

void Elementwise::run(const void* const* inputs, void* const* outputs, void* workspace) const {
  elementwise_run(
      {plan_.get(), inputs, outputs, static_cast<char*>(workspace), plan_->rows, plan_->columns});
}

void Elementwise::run_rows(const void* const* inputs, void* const* outputs, void* workspace,
                           int64_t count, int64_t rows) const {
  const bool one = plan_->rows == 1;  // axis 0 lies within the columns
  elementwise_run({plan_.get(), inputs, outputs, static_cast<char*>(workspace),
                   one ? 1 : plan_->rows / rows * count,
                   one ? plan_->columns / rows * count : plan_->columns});
}

}  // namespace weft::onednn::kernels
