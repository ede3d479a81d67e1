// models/data/published/model_files.h -- the small files of a published model, by name: those of a
// folder, or those that were put into one text to be
// read back.
#pragma once
#include "models/data/published/json.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::data::published {

class ModelFiles {
 public:
  // Throws GraphError where there is no such folder.
  explicit ModelFiles(std::string folder);
  // As `serialized` wrote them. `name` stands in errors.
  static ModelFiles parse(const std::string& text, const std::string& name);

  bool has(const std::string& name) const;
  // GraphError where it is not there or cannot be read.
  const std::string& content(const std::string& name) const;
  Json json(const std::string& name) const;
  std::string path(const std::string& name) const;
  const std::string& folder() const { return folder_; }

  // What was read so far.
  const std::map<std::string, std::string>& read() const { return read_; }
  // The same as `parse` reads it.
  Json serialized() const;

 private:
  ModelFiles() = default;

  std::string folder_;
  bool on_disk_ = false;
  mutable std::map<std::string, std::string> read_;
};

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace weft::data::published
