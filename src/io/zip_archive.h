// Where the entries of a zip lie, for archives whose entries are stored as they are.
//
// Source: PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3. Only what the central directory lists is there,
// and every size in it is checked against the file. Accepted: plain and zip64 archives in one piece. Refused,
// so that no other reader can see other contents in the same file: compressed or encrypted entries, names
// that come twice, have a "..", begin with '/' or hold a '\' or a control character or are not UTF-8, entries
// that overlap or whose local header says something else, bytes between the central directory and the end
// records, text behind them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leco {

struct ZipEntry {
  std::string name;
  uint64_t begin = 0;  // of the contents, bytes from the start of the file
  uint64_t size = 0;
};

// `file` is the whole archive. In the order of the central directory; folders ("name/") are left out. Throws
// a usage error that names `origin`, the entry and what is wrong. Checksums are not looked at.
std::vector<ZipEntry> zip_entries(std::string_view file, const std::string& origin);

}  // namespace leco
