#include "alerts/state_files.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "common/log.h"
#include "common/net/http_types.h"

namespace kvasir::alerts {
namespace {

constexpr std::uint64_t kStateBytesMax = 64 << 20;

// Percent-encoded texts never hold a '+', so that no two names become the same one.
std::string short_name(std::string name) {
  constexpr std::size_t kNameBytesMax = 200;
  if (name.size() <= kNameBytesMax) return name;
  const auto hash = XXH3_128bits(name.data(), name.size());
  return fmt::format("+{:016x}{:016x}", hash.high64, hash.low64);
}

std::string file_prefix(const std::string& name_space) { return net::percent_encode(name_space) + "+"; }

std::string file_name(const GroupIdentity& identity) {
  return short_name(file_prefix(identity.name_space) + net::percent_encode(identity.group)) + ".json";
}

// Of servers before this form, which put a dot between the two names and so let two groups share a file.
std::string old_file_name(const GroupIdentity& identity) {
  return fmt::format("{}.{}.json", net::percent_encode(identity.name_space), net::percent_encode(identity.group));
}

}  // namespace

Path StateFiles::folder_of(const std::string& tenant) const {
  return join_path(directory_, short_name(net::percent_encode(tenant)));
}

Path StateFiles::path_of(const GroupIdentity& identity) const {
  return join_path(folder_of(identity.tenant), file_name(identity));
}

Result<std::string> StateFiles::read(const GroupIdentity& identity) const {
  const Path path = path_of(identity);
  if (const auto status = filesystem_.status(path); !status || !*status) {
    KVASIR_CHECK_OK(filesystem_.rename(join_path(folder_of(identity.tenant), old_file_name(identity)), path));
  }
  return filesystem_.read_all(path, kStateBytesMax);
}

Result<void> StateFiles::write(const GroupIdentity& identity, std::string_view text) const {
  KVASIR_CHECK_OK(filesystem_.make_directories(folder_of(identity.tenant)));
  return write_atomically(filesystem_, path_of(identity), text);
}

void StateFiles::remove_file(const Path& path) const {
  if (auto removed = filesystem_.remove(path); !removed) {
    log::warn("alerts", "alert state of a deleted group could not be removed",
              {{"reason", removed.error().message()}});
  }
}

void StateFiles::remove(const GroupIdentity& identity) const {
  const Path path = path_of(identity);
  const auto status = filesystem_.status(path);
  if (status && *status) remove_file(path);
}

void StateFiles::remove_others(const std::set<GroupIdentity>& groups,
                               const std::set<std::pair<std::string, std::string>>& unreadable) const {
  std::set<Path> kept;
  for (const auto& identity : groups) {
    kept.insert(path_of(identity));
    kept.insert(join_path(folder_of(identity.tenant), old_file_name(identity)));
  }
  std::vector<Path> prefixes;  // of the files that a group of an unreadable file may have
  for (const auto& [tenant, name_space] : unreadable) {
    prefixes.push_back(join_path(folder_of(tenant), file_prefix(name_space)));
    prefixes.push_back(join_path(folder_of(tenant), "+"));
  }
  const auto tenants = filesystem_.list(directory_);
  if (!tenants) return;
  for (const auto& tenant : *tenants) {
    const auto names = filesystem_.list(join_path(directory_, tenant));
    if (!names) continue;
    for (const auto& name : *names) {
      const Path path = join_path(join_path(directory_, tenant), name);
      const bool may_be_used = kept.contains(path) || std::any_of(prefixes.begin(), prefixes.end(), [&](const Path& p) {
                                 return path.starts_with(p);
                               });
      if (name.ends_with(".json") && !may_be_used) remove_file(path);
    }
  }
}

}  // namespace kvasir::alerts
