// frontend/inspect/attention_page.h -- what a decoder looked at in many sentences, as one HTML page
// with sliders for the sentence, the layer and the head.
//
// The page is one file that asks nothing of the network. Weights are kept in per mille.
#pragma once
#include "ir/host/array.h"

#include <string>
#include <vector>

namespace weft::inspect {

struct AttentionSentence {
  std::vector<std::string> columns;  // source tokens
  std::vector<std::string> rows;     // target tokens
  ir::Array mean;                    // float[rows,columns]
  std::vector<ir::Array> layers;     // float[heads,rows,columns] each; may be none
};

// Throws GraphError where weights are not of these shapes.
std::string attention_page(const std::string& title,
                           const std::vector<AttentionSentence>& sentences);

}  // namespace weft::inspect
