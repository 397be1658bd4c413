#include "io/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_set>

#include "core/error.h"
#include "core/utf8.h"

namespace leco {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEndRecord = 0x06054b50;
constexpr uint32_t kZip64EndRecord = 0x06064b50;
constexpr uint32_t kZip64Locator = 0x07064b50;

constexpr uint64_t kEndRecordBytes = 22;
constexpr uint64_t kLocatorBytes = 20;
constexpr uint64_t kCentralHeaderBytes = 46;
constexpr uint64_t kLocalHeaderBytes = 30;
constexpr uint64_t kZip64EndRecordBytes = 56;
constexpr uint64_t kMaxEntries = 200'000;
constexpr uint16_t kZip64Field = 1;
constexpr uint16_t kEncryptedFlags = 0x0001 | 0x0040 | 0x2000;  // plain, strong, names hidden
constexpr uint16_t kSizesFollow = 0x0008;                       // the local header leaves the sizes open
constexpr uint64_t kSeeZip64 = 0xffffffff;  // in a field of 4 bytes: the value is in the zip64 field

struct Directory {
  uint64_t entries = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// An entry as the central directory has it, and where its local header begins.
struct Listed {
  ZipEntry entry;
  uint64_t header = 0;
  uint16_t flags = 0;
};

class ZipReader {
 public:
  ZipReader(std::string_view file, const std::string& origin) : file_(file), origin_(origin) {}

  std::vector<ZipEntry> entries() {
    const Directory directory = find_directory();
    std::vector<Listed> listed = list(directory);
    std::vector<ZipEntry> result;
    for (Listed& each : listed) place(each);
    check_overlaps(listed, directory.begin);
    for (Listed& each : listed) {
      if (each.entry.name.back() != '/') result.push_back(std::move(each.entry));
    }
    return result;
  }

 private:
  [[noreturn]] void reject(const std::string& what) const {
    throw_usage(
        fmt::format("'{}' is not a zip that can be read: {}; download or save it again", origin_, what));
  }

  // Little-endian number of `bytes` bytes.
  uint64_t number(uint64_t at, int bytes) const {
    if (at > file_.size() || file_.size() - at < static_cast<uint64_t>(bytes)) {
      reject(fmt::format("it ends at byte {}, where its directory points behind", file_.size()));
    }
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) {
      value |= uint64_t{static_cast<unsigned char>(file_[at + i])} << 8 * i;
    }
    return value;
  }
  uint16_t u16(uint64_t at) const { return static_cast<uint16_t>(number(at, 2)); }
  uint32_t u32(uint64_t at) const { return static_cast<uint32_t>(number(at, 4)); }

  Directory find_directory() const {
    // An archive may end in a comment. It would make the place of the end record a guess; torch writes none.
    if (file_.size() < kEndRecordBytes || u32(file_.size() - kEndRecordBytes) != kEndRecord) {
      reject("its end is missing (an unfinished download or copy), or something is appended to it");
    }
    const uint64_t end_record = file_.size() - kEndRecordBytes;
    if (u16(end_record + 20) != 0) reject("its end record announces a comment that is not there");
    if (u32(end_record + 4) != 0 || u16(end_record + 8) != u16(end_record + 10)) reject_parts();
    Directory found{u16(end_record + 10), u32(end_record + 16), end_record};
    uint64_t size = u32(end_record + 12);
    const bool has_zip64 = end_record >= kLocatorBytes && u32(end_record - kLocatorBytes) == kZip64Locator;
    if (has_zip64) {
      const uint64_t locator = end_record - kLocatorBytes;
      found.end = number(locator + 8, 8);
      read_zip64_end(found, size, locator);
    }
    if (found.begin > found.end || size != found.end - found.begin) {
      reject(fmt::format("its directory of {} bytes at byte {} does not reach its end record at byte {}",
                         size, found.begin, found.end));
    }
    if (found.entries > kMaxEntries || found.entries > size / kCentralHeaderBytes) {
      reject(fmt::format("its directory of {} bytes announces {} entries, at most {} are allowed", size,
                         found.entries, kMaxEntries));
    }
    return found;
  }

  [[noreturn]] void reject_parts() const { reject("it is one part of an archive in several parts"); }

  void read_zip64_end(Directory& found, uint64_t& size, uint64_t locator) const {
    const uint64_t record = found.end;
    if (u32(locator + 4) != 0 || u32(locator + 16) > 1) reject_parts();
    if (record > locator || locator - record != kZip64EndRecordBytes || u32(record) != kZip64EndRecord ||
        number(record + 4, 8) != kZip64EndRecordBytes - 12) {
      reject("its zip64 end record is not where its locator points");
    }
    if (number(record + 16, 8) != 0 || number(record + 24, 8) != number(record + 32, 8)) reject_parts();
    // The plain record repeats each number, or says that it is too large for it.
    const auto agree = [&](uint64_t plain, uint64_t full, uint64_t open) {
      if (plain != full && plain != open) reject("its two end records contradict each other");
    };
    agree(found.entries, number(record + 32, 8), 0xffff);
    agree(size, number(record + 40, 8), kSeeZip64);
    agree(found.begin, number(record + 48, 8), kSeeZip64);
    found.entries = number(record + 32, 8);
    size = number(record + 40, 8);
    found.begin = number(record + 48, 8);
  }

  std::vector<Listed> list(const Directory& directory) {
    std::vector<Listed> listed;
    std::unordered_set<std::string> names;
    uint64_t at = directory.begin;
    for (uint64_t i = 0; i < directory.entries; ++i) {
      if (directory.end - at < kCentralHeaderBytes || u32(at) != kCentralHeader) reject_damaged(i);
      const uint64_t name_bytes = u16(at + 28), extra_bytes = u16(at + 30), comment_bytes = u16(at + 32);
      const uint64_t length = kCentralHeaderBytes + name_bytes + extra_bytes + comment_bytes;
      if (length > directory.end - at) reject_damaged(i);
      listed.push_back(read_listed(at));
      const std::string& name = listed.back().entry.name;
      if (!names.insert(name).second) reject(fmt::format("its entry '{}' comes twice", name));
      at += length;
    }
    if (at != directory.end) reject("its directory is longer than its entries");
    return listed;
  }

  [[noreturn]] void reject_damaged(uint64_t index) const {
    reject(fmt::format("its directory is damaged at entry {}", index));
  }

  Listed read_listed(uint64_t at) const {
    Listed listed;
    listed.entry.name = checked_name(file_.substr(at + kCentralHeaderBytes, u16(at + 28)));
    listed.flags = u16(at + 8);
    const std::string& name = listed.entry.name;
    if (listed.flags & kEncryptedFlags) reject(fmt::format("its entry '{}' is encrypted", name));
    if (const uint16_t method = u16(at + 10); method != 0) {
      reject(fmt::format(
          "its entry '{}' is compressed (method {}), which torch.save never does (a TorchScript program, "
          "or packed again by another program)",
          name, method));
    }
    uint64_t packed = u32(at + 20), disk = u16(at + 34);
    listed.entry.size = u32(at + 24);
    listed.header = u32(at + 42);
    uint64_t* const wide[] = {&listed.entry.size, &packed, &listed.header};
    const uint64_t extra = at + kCentralHeaderBytes + name.size();
    read_zip64_field(extra, extra + u16(at + 30), wide);
    if (disk != 0) reject_parts();
    if (packed != listed.entry.size) {
      reject(fmt::format("its entry '{}' is stored, but in {} bytes instead of {}", name, packed,
                         listed.entry.size));
    }
    return listed;
  }

  // Those of `wide` that are open are in the zip64 field, in this order.
  void read_zip64_field(uint64_t at, uint64_t end, std::span<uint64_t* const> wide) const {
    const bool is_open = std::ranges::any_of(wide, [](const uint64_t* each) { return *each == kSeeZip64; });
    if (!is_open) return;
    while (end - at >= 4) {
      const uint16_t kind = u16(at);
      const uint64_t bytes = u16(at + 2);
      at += 4;
      if (bytes > end - at) break;
      if (kind == kZip64Field) {
        const uint64_t field_end = at + bytes;
        for (uint64_t* each : wide) {
          if (*each != kSeeZip64) continue;
          if (field_end - at < 8) reject("a zip64 field is too short");
          *each = number(at, 8);
          at += 8;
        }
        return;
      }
      at += bytes;
    }
    reject("a zip64 field is missing");
  }

  std::string checked_name(std::string_view name) const {
    const auto is_bad = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; };
    if (name.empty() || name.front() == '/' || std::ranges::any_of(name, is_bad) || !is_utf8(name)) {
      reject(
          "the name of an entry is empty, begins with '/', holds a '\\' or a control character or is not "
          "UTF-8");
    }
    for (std::string_view rest = name; !rest.empty();) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      if (part == "..") reject(fmt::format("its entry '{}' has a '..' in its name", name));
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    return std::string(name);
  }

  // Finds the contents behind the local header, which must say the same.
  void place(Listed& listed) const {
    const uint64_t at = listed.header;
    const std::string& name = listed.entry.name;
    const auto contradicts = [&](const char* what) {
      reject(fmt::format("{} of its entry '{}' differs between the entry and the directory", what, name));
    };
    if (u32(at) != kLocalHeader) reject(fmt::format("its entry '{}' is not at byte {}", name, at));
    if (u16(at + 6) != listed.flags || u16(at + 8) != 0) contradicts("the kind");
    const uint64_t name_bytes = u16(at + 26), extra_bytes = u16(at + 28);
    if (file_.substr(at + kLocalHeaderBytes, name_bytes) != name) contradicts("the name");
    listed.entry.begin = at + kLocalHeaderBytes + name_bytes + extra_bytes;
    if (!(listed.flags & kSizesFollow)) {
      uint64_t packed = u32(at + 18), size = u32(at + 22);
      uint64_t* const wide[] = {&size, &packed};
      const uint64_t extra = at + kLocalHeaderBytes + name_bytes;
      read_zip64_field(extra, extra + extra_bytes, wide);
      if (packed != listed.entry.size || size != listed.entry.size) contradicts("the size");
    }
    if (listed.entry.begin > file_.size() || listed.entry.size > file_.size() - listed.entry.begin) {
      reject(fmt::format("its entry '{}' of {} bytes reaches behind the end of the file", name,
                         listed.entry.size));
    }
  }

  void check_overlaps(const std::vector<Listed>& listed, uint64_t end) const {
    std::vector<const Listed*> by_place;
    for (const Listed& each : listed) by_place.push_back(&each);
    std::ranges::sort(by_place, {}, &Listed::header);
    for (size_t i = 0; i < by_place.size(); ++i) {
      const uint64_t next = i + 1 < by_place.size() ? by_place[i + 1]->header : end;
      if (by_place[i]->entry.begin + by_place[i]->entry.size > next) {
        reject(fmt::format("its entry '{}' overlaps what follows it", by_place[i]->entry.name));
      }
    }
  }

  std::string_view file_;
  const std::string& origin_;
};

}  // namespace

std::vector<ZipEntry> zip_entries(std::string_view file, const std::string& origin) {
  return ZipReader(file, origin).entries();
}

}  // namespace leco
