// state_files.h -- where the alerts of each group are kept over a restart: one file a group, which goes with the group.
//
// Errors:   those of the file system; remove() and remove_others() log them, since a file left behind does no harm.
// Threads:  any; two writers of one group's file do not meet, since a group never runs twice at once.
// Source:   docs/formats/alert-state-v1.md
#pragma once

#include <set>
#include <string>
#include <utility>

#include "alerts/group_runner.h"
#include "common/filesystem.h"

namespace kvasir::alerts {

class StateFiles {
 public:
  StateFiles(Path directory, Filesystem& filesystem) : directory_(std::move(directory)), filesystem_(filesystem) {}

  Result<std::string> read(const GroupIdentity& identity) const;
  Result<void> write(const GroupIdentity& identity, std::string_view text) const;
  void remove(const GroupIdentity& identity) const;
  /// Removes the state of every group that is not listed: those that went while no server ran. Groups of a file that
  /// cannot be read (tenant and namespace) may be there all the same and keep theirs.
  void remove_others(const std::set<GroupIdentity>& groups,
                     const std::set<std::pair<std::string, std::string>>& unreadable) const;

 private:
  Path folder_of(const std::string& tenant) const;
  Path path_of(const GroupIdentity& identity) const;
  void remove_file(const Path& path) const;

  const Path directory_;
  Filesystem& filesystem_;
};

}  // namespace kvasir::alerts
