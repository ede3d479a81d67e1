// backends/onednn/machine/engine.h -- the runtime set-up: threads, oneDNN engine and stream.
#pragma once
#include <dnnl.hpp>

namespace weft::onednn {

// libgomp's constructor pins the first thread to one processor when OMP_PROC_BIND or OMP_PLACES is
// set, although it never runs anything here, and LLVM's runtime respects that mask: it would start
// one thread. Gives the thread its parent's processors back; true if it did. To be called before
// OpenMP or oneDNN is used for the first time.
bool undo_pinning();

class Engine {
 public:
  Engine();  // throws RuntimeError where this processor or oneDNN cannot do it
  const dnnl::engine& dnnl() const { return engine_; }
  dnnl_stream_t stream() const { return stream_.get(); }
  int threads() const { return threads_; }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  int threads_;
};

}  // namespace weft::onednn
