// rule_store.h -- rule groups on disk: <directory>/<tenant>/<namespace>, each file a `groups:` list.
//
// Shape:    load() reads every file of every tenant; the rule API writes one file at a time, atomically.
// Errors:   a file that cannot be read is reported with its path and passed over; the others are loaded.
//           not_found: `group namespace does not exist`. invalid_argument: a namespace that is no file name.
//           corruption: a change of a file that cannot be read, which it names.
// Threads:  any; writes of one tenant are serialised.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "alerts/rule.h"
#include "common/filesystem.h"
#include "common/mutex.h"

namespace kvasir::alerts {

struct LoadedRules {
  std::map<std::string, RuleNamespaces> tenants;
  std::vector<std::string> problems;  // `path: reason`
  bool complete = true;               // false: a folder could not be listed, so that a group may be there all the same
  // Tenant and namespace of the files that could not be read, with the reason.
  std::map<std::pair<std::string, std::string>, std::string> unreadable;
};

class RuleStore {
 public:
  RuleStore(Path directory, Filesystem& filesystem) : directory_(std::move(directory)), filesystem_(filesystem) {}

  LoadedRules load() const;
  /// Adds the group to the namespace, or puts it in the place of the one with its name.
  Result<void> set_group(const std::string& tenant, const std::string& name_space, const RuleGroup& group);
  /// A group that is not there is no error.
  Result<void> delete_group(const std::string& tenant, const std::string& name_space, const std::string& group);
  Result<void> delete_namespace(const std::string& tenant, const std::string& name_space);

 private:
  Result<std::vector<RuleGroup>> read_file(const Path& path) const;
  Result<Path> path_of(const std::string& tenant, const std::string& name_space) const;
  Result<std::string> text_of(const Path& path) const;

  const Path directory_;
  Filesystem& filesystem_;
  mutable Mutex mutex_;  // one writer at a time
};

}  // namespace kvasir::alerts
