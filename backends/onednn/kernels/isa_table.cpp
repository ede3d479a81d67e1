// backends/onednn/kernels/isa_table.cpp -- the kernels of the instruction set being compiled.
#include "backends/onednn/kernels/kernel_list.h"

namespace weft::onednn::kernels::WEFT_ISA {

#define WEFT_ENTRY(result, function, arguments) .function = WEFT_ISA::function,
const KernelTable table{WEFT_KERNELS(WEFT_ENTRY)};
#undef WEFT_ENTRY

}  // namespace weft::onednn::kernels::WEFT_ISA
