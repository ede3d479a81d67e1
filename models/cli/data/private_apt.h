// models/cli/data/private_apt.h -- files from Debian's archive, fetched by apt without touching the system.
//
// Sources and keys are the system's; indexes and packages go to a temporary folder, which goes with
// the object. Neither root nor an installed package is needed. RuntimeError says in one line why
// something cannot be had.
#pragma once
#include <string>
#include <vector>

namespace weft::cli {

class PrivateApt {
 public:
  PrivateApt();
  PrivateApt(const PrivateApt&) = delete;
  PrivateApt& operator=(const PrivateApt&) = delete;
  ~PrivateApt();

  // The indexes Translation-xx of these languages, those of the first there is no doing without.
  std::vector<std::string> translations(const std::vector<std::string>& languages);
  // A file of a package, by its path in the system: "/usr/share/..." -> where it lies now.
  std::string file_of_package(const std::string& package, const std::string& path);

 private:
  std::string configuration(const std::vector<std::string>& languages, bool packages) const;
  void update(const std::string& configuration) const;

  std::string folder_;
};

// What a file holds, decompressed as its name says (.gz .bz2 .xz .zst .lz4: through apt's helper).
std::string decompressed(const std::string& path);

}  // namespace weft::cli
