#include "alerts/rule_store.h"

#include <fmt/format.h>

#include "alerts/rule_file_edit.h"

namespace kvasir::alerts {
namespace {

constexpr std::uint64_t kRuleFileBytesMax = 16 << 20;

bool is_file_name(std::string_view name) {
  const bool dots = name == "." || name == "..";
  return !name.empty() && name.size() <= 200 && !dots &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// Editors and write_atomically leave such files for a moment.
bool is_hidden(std::string_view name) { return name.starts_with('.') || name.ends_with('~') || name.ends_with(".tmp"); }

Unexpected unreadable(const std::string& tenant, const std::string& name_space, const Error& reason) {
  return fail(ErrorCode::kCorruption,
              fmt::format("the rule file {}/{} cannot be read, mend or delete it first: {}", tenant, name_space,
                          reason.message()));
}

}  // namespace

Result<std::vector<RuleGroup>> RuleStore::read_file(const Path& path) const {
  KVASIR_TRY(const auto text, filesystem_.read_all(path, kRuleFileBytesMax));
  return parse_rule_file(text);
}

LoadedRules RuleStore::load() const {
  LoadedRules loaded;
  const auto tenants = filesystem_.list(directory_);
  loaded.complete = tenants.has_value();
  if (!tenants) return loaded;  // no folder yet: no rules
  for (const auto& tenant : *tenants) {
    const Path folder = join_path(directory_, tenant);
    const auto status = filesystem_.status(folder);
    loaded.complete = loaded.complete && status.has_value();
    if (!status || !*status || !(*status)->is_directory) continue;
    const auto names = filesystem_.list(folder);
    if (!names) {
      loaded.complete = false;
      loaded.problems.push_back(names.error().message());
      continue;
    }
    for (const auto& name : *names) {
      if (is_hidden(name)) continue;
      auto groups = read_file(join_path(folder, name));
      if (groups) {
        loaded.tenants[tenant][name] = std::move(*groups);
      } else {
        loaded.problems.push_back(join_path(folder, name) + ": " + groups.error().message());
        loaded.unreadable.emplace(std::pair(tenant, name), groups.error().message());
      }
    }
  }
  return loaded;
}

Result<Path> RuleStore::path_of(const std::string& tenant, const std::string& name_space) const {
  if (!is_file_name(tenant)) return fail(ErrorCode::kInvalidArgument, "tenant cannot name a folder: " + tenant);
  if (!is_file_name(name_space) || is_hidden(name_space)) {
    return fail(ErrorCode::kInvalidArgument, "namespace cannot name a file: " + name_space);
  }
  return join_path(join_path(directory_, tenant), name_space);
}

// "" if there is no such file.
Result<std::string> RuleStore::text_of(const Path& path) const {
  KVASIR_TRY(const auto status, filesystem_.status(path));
  if (!status) return std::string();
  return filesystem_.read_all(path, kRuleFileBytesMax);
}

Result<void> RuleStore::set_group(const std::string& tenant, const std::string& name_space, const RuleGroup& group) {
  KVASIR_TRY(const auto path, path_of(tenant, name_space));
  MutexLock lock(mutex_);
  KVASIR_CHECK_OK(filesystem_.make_directories(parent_directory(path)));
  KVASIR_TRY(const auto before, text_of(path));
  const auto after = with_group(before, group);
  if (!after) return unreadable(tenant, name_space, after.error());
  return write_atomically(filesystem_, path, *after);
}

Result<void> RuleStore::delete_group(const std::string& tenant, const std::string& name_space,
                                     const std::string& group) {
  KVASIR_TRY(const auto path, path_of(tenant, name_space));
  MutexLock lock(mutex_);
  KVASIR_TRY(const auto before, text_of(path));
  const auto after = without_group(before, group);
  if (!after) return unreadable(tenant, name_space, after.error());
  if (!*after) return {};
  KVASIR_TRY(const auto left, parse_rule_file(**after));
  if (!left.empty()) return write_atomically(filesystem_, path, **after);
  KVASIR_CHECK_OK(filesystem_.remove(path));
  return filesystem_.sync_dir(parent_directory(path));
}

Result<void> RuleStore::delete_namespace(const std::string& tenant, const std::string& name_space) {
  KVASIR_TRY(const auto path, path_of(tenant, name_space));
  MutexLock lock(mutex_);
  KVASIR_TRY(const auto status, filesystem_.status(path));
  if (!status) return fail(ErrorCode::kNotFound, "group namespace does not exist");
  KVASIR_CHECK_OK(filesystem_.remove(path));
  return filesystem_.sync_dir(parent_directory(path));
}

}  // namespace kvasir::alerts
