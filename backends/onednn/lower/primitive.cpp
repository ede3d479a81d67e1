// backends/onednn/lower/primitive.cpp -- oneDNN's primitives as kernels of a plan.
#include "backends/onednn/lower/primitive.h"

#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/moves.h"
#include "ir/host/memory.h"

#include <algorithm>
#include <string_view>

namespace weft::onednn {

using dnnl::memory;

memory::data_type data_type(ir::DType dtype) {
  switch (dtype) {
    case ir::DType::f32:
      return memory::data_type::f32;
    case ir::DType::bf16:
      return memory::data_type::bf16;
    case ir::DType::s32:
      return memory::data_type::s32;
    case ir::DType::s8:
      return memory::data_type::s8;
    case ir::DType::u8:
      return memory::data_type::u8;
    default:
      return memory::data_type::undef;
  }
}

memory::desc desc_of(const Tensor& t) {
  return {memory::dims(t.dims.begin(), t.dims.end()), data_type(t.dtype),
          memory::dims(t.strides.begin(), t.strides.end())};
}

memory::desc channels_last(const Tensor& t) {
  memory::dims dims{t.dims.front(), t.dims.back()}, strides{t.strides.front(), t.strides.back()};
  dims.insert(dims.end(), t.dims.begin() + 1, t.dims.end() - 1);
  strides.insert(strides.end(), t.strides.begin() + 1, t.strides.end() - 1);
  return {dims, memory::data_type::f32, strides};
}

std::string layout_text(const memory::desc& desc) {
  const compat::Blocking b = compat::blocking(desc);
  const auto list = [](const memory::dims& numbers, char between) {
    std::string s;
    for (const int64_t n : numbers)
      s += (s.empty() ? "" : std::string(1, between)) + ir::text_of(n);
    return s;
  };
  std::string s = compat::type_of(desc) == memory::data_type::bf16 ? "bf16 " : "f32 ";
  s += list(compat::dims_of(desc), 'x') + " by " + list(b.strides, ' ');
  for (size_t i = 0; i < b.blocks.size(); ++i)
    s += ir::concat(i == 0 ? " blocks " : " ", b.blocks[i], "@", b.axes[i]);
  return s;
}

bool is_reference(const char* implementation) {
  return std::string_view(implementation).starts_with("ref");
}

dnnl::primitive_attr plain_attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

Call& Call::with_scratchpad(Emit& e, const memory::desc& desc) {
  if (const size_t bytes = desc.get_size(); bytes > 0)
    with(DNNL_ARG_SCRATCHPAD, desc, e.workspace(static_cast<int64_t>(bytes)));
  return *this;
}

void Call::emit(Emit& e, double flops, const char* implementation) const {
  // Resolved when it runs; what it captures is made once.
  struct Bound {
    dnnl::primitive primitive;
    std::vector<memory> memories;
    std::vector<Ref> refs;
    std::vector<dnnl_exec_arg_t> args;
  };
  const auto bound = std::make_shared<Bound>();
  bound->primitive = primitive_;
  for (const Argument& a : arguments_) {
    bound->memories.push_back(memory(a.desc, e.engine().dnnl(), DNNL_MEMORY_NONE));
    bound->refs.push_back(a.at);
    bound->args.push_back({a.name, bound->memories.back().get()});
  }
  const auto run = [bound, name = name_, stream = e.engine().stream()](const Run& run) {
    for (size_t i = 0; i < bound->args.size(); ++i)
      dnnl_memory_set_data_handle(bound->args[i].memory, run(bound->refs[i]));
    const dnnl_status_t status = dnnl_primitive_execute(
        bound->primitive.get(), stream, static_cast<int>(bound->args.size()), bound->args.data());
    if (status != dnnl_success)
      throw ir::RuntimeError(ir::concat("error: oneDNN's ", name, " failed with status ",
                                        static_cast<int64_t>(status)));
  };
  e.kernel(name_, flops, run, implementation);
}

namespace {

// What `make` makes, with memory objects.
class ForRows {
 public:
  ForRows(const Engine& engine, std::function<std::optional<RowPrimitive>(int64_t)> make,
          std::vector<Ref> at)
      : engine_(engine.dnnl()), stream_(engine.stream()), make_(std::move(make)), at_(at) {}

  bool prepare(int64_t rows) {
    if (rows == rows_) return true;
    auto made = make_(rows);
    if (!made) return false;
    primitive_ = *std::move(made);
    memories_.clear();
    args_.clear();
    for (const auto& [name, desc] : primitive_.arguments) {
      memories_.push_back(memory(desc, engine_, DNNL_MEMORY_NONE));
      args_.push_back({name, memories_.back().get()});
    }
    if (const size_t bytes = primitive_.scratchpad.get_size(); bytes > 0) {
      if (bytes > scratch_bytes_) scratch_ = ir::allocate(scratch_bytes_ = bytes);
      memories_.push_back(memory(primitive_.scratchpad, engine_, scratch_.get()));
      args_.push_back({DNNL_ARG_SCRATCHPAD, memories_.back().get()});
    }
    rows_ = rows;
    return true;
  }

  void run(const Run& run, const char* name) {
    for (size_t i = 0; i < at_.size(); ++i)
      dnnl_memory_set_data_handle(args_[i].memory, run(at_[i]));
    const dnnl_status_t status = dnnl_primitive_execute(
        primitive_.primitive.get(), stream_, static_cast<int>(args_.size()), args_.data());
    if (status != dnnl_success)
      throw ir::RuntimeError(ir::concat("error: oneDNN's ", name, " failed with status ",
                                        static_cast<int64_t>(status)));
  }

  const std::string& implementation() const { return primitive_.implementation; }

 private:
  const dnnl::engine engine_;
  const dnnl_stream_t stream_;
  const std::function<std::optional<RowPrimitive>(int64_t)> make_;
  const std::vector<Ref> at_;
  int64_t rows_ = -1;  // it is made for
  RowPrimitive primitive_;
  std::vector<memory> memories_;
  std::vector<dnnl_exec_arg_t> args_;
  ir::Memory scratch_;
  size_t scratch_bytes_ = 0;
};

}  // namespace

bool emit_for_rows(Emit& e, const char* name, double flops, int64_t rows,
                   const std::optional<RowBound>& bound,
                   const std::function<std::optional<RowPrimitive>(int64_t)>& make,
                   const std::vector<Ref>& at) {
  const auto made = std::make_shared<ForRows>(e.engine(), make, at);
  if (!made->prepare(rows)) return false;
  e.kernel(
      name, flops,
      [made, rows, name, bound](const Run& run) {
        const int64_t real = bound ? bound->of(run, rows) : rows;
        if (real == 0) return;
        if (!made->prepare(real))
          throw ir::RuntimeError(ir::concat("error: oneDNN has only reference loops for ", name,
                                            " of ", real, " rows, and more for ", rows));
        made->run(run, name);
      },
      made->implementation());
  return true;
}

namespace {

// f32 at `source`, block by block, zeros in what they leave. False where an axis is in blocks of blocks.
bool copy_into_blocks(Emit& e, const memory::desc& from, Ref source, const memory::desc& to,
                      Ref target) {
  const compat::Blocking in = compat::blocking(from), out = compat::blocking(to);
  const memory::dims dims = compat::dims_of(to);
  memory::dims block = dims, inner = out.strides, blocks(dims.size(), 0);
  int64_t stride = 1;
  for (size_t i = out.axes.size(); i-- > 0; stride *= out.blocks[i]) {
    const auto axis = static_cast<size_t>(out.axes[i]);
    if (blocks[axis] != 0) return false;
    block[axis] = out.blocks[i], inner[axis] = stride;
    blocks[axis] = (dims[axis] + out.blocks[i] - 1) / out.blocks[i];
  }
  constexpr int64_t kBytes = 4;
  emit_fill(e, {ir::DType::f32, {static_cast<int64_t>(to.get_size()) / kBytes}, {1}, target}, 0);
  int64_t count = 1;
  for (int64_t& n : blocks) count *= n = std::max<int64_t>(n, 1);
  for (int64_t i = 0; i < count; ++i) {
    Tensor x{ir::DType::f32, {}, {}, source}, y{ir::DType::f32, {}, {}, target};
    int64_t rest = i;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      const int64_t at = rest % blocks[axis],
                    n = std::min(block[axis], dims[axis] - at * block[axis]);
      rest /= blocks[axis];
      x.dims.push_back(n), x.strides.push_back(in.strides[axis]);
      y.dims.push_back(n), y.strides.push_back(inner[axis]);
      x.at.offset += at * block[axis] * in.strides[axis] * kBytes;
      y.at.offset += at * out.strides[axis] * kBytes;
    }
    emit_copy(e, x, y);
  }
  return true;
}

}  // namespace

bool emit_reorder(Emit& e, const char* name, const memory::desc& from, Ref source,
                  const memory::desc& to, Ref target, bool reference_will_do) {
  const dnnl::engine& engine = e.engine().dnnl();
  if (compat::reorder_misplaces(from, to)) return copy_into_blocks(e, from, source, to, target);
  const dnnl::reorder::primitive_desc pd(engine, from, engine, to, plain_attributes());
  if (is_reference(pd.impl_info_str()) && !reference_will_do) return false;
  Call(name, dnnl::reorder(pd))
      .with(DNNL_ARG_FROM, from, source)
      .with(DNNL_ARG_TO, to, target)
      .with_scratchpad(e, pd.scratchpad_desc())
      .emit(e, 0, pd.impl_info_str());
  return true;
}

}  // namespace weft::onednn
