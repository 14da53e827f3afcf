// leveldb_env.h -- lets LevelDB read and write through our Filesystem.
//
// Lifetime: the filesystem must outlive the Env, the Env the database.
// Notes:    LockFile does nothing: the owner of the data folder sees to it that there is one process.
#pragma once

#include <memory>

#include <leveldb/env.h>

#include "common/filesystem.h"
#include "common/result.h"

namespace kvasir::index {

std::unique_ptr<leveldb::Env> make_leveldb_env(Filesystem& filesystem);

Error from_leveldb(const leveldb::Status& status);

}  // namespace kvasir::index
