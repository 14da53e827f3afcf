#include "index/index_store.h"

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "common/bytes.h"
#include "common/log.h"
#include "common/mutex.h"
#include "index/leveldb_env.h"

namespace kvasir::index {
namespace {

constexpr std::string_view kVersionKey = "V";
constexpr std::string_view kVersion = "1";

template <class T>
void append_big_endian(std::string& out, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

template <class T>
T read_big_endian(std::string_view bytes) {
  T value = 0;
  for (const char c : bytes.substr(0, sizeof value)) value = static_cast<T>(value << 8 | static_cast<unsigned char>(c));
  return value;
}

std::string prefix(char tag, std::string_view tenant) {
  std::string key(1, tag);
  key += tenant;
  key += '\0';
  return key;
}

/// A label set as the catalogue names it.
struct SeriesKey {
  std::uint64_t fingerprint = 0;
  std::uint16_t ordinal = 0;
  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

std::string series_key(std::string_view tenant, SeriesKey series) {
  std::string key = prefix('S', tenant);
  append_big_endian(key, series.fingerprint);
  append_big_endian(key, series.ordinal);
  return key;
}

std::string catalogue_key(std::string_view tenant, std::uint64_t segment) {
  std::string key = prefix('C', tenant);
  append_big_endian(key, segment);
  return key;
}

std::string encode_labels(const Labels& labels) {
  std::string out;
  ByteWriter writer(out);
  writer.varint(labels.size());
  for (const auto& label : labels) {
    writer.sized(label.name);
    writer.sized(label.value);
  }
  return out;
}

Result<Labels> decode_labels(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<Label> pairs;
  const std::uint64_t n = reader.count(2);
  for (std::uint64_t i = 0; i < n && reader.ok(); ++i) {
    const auto name = reader.sized();
    const auto value = reader.sized();
    pairs.push_back({std::string(name), std::string(value)});
  }
  if (!reader.ok()) return fail(ErrorCode::kCorruption, "index: labels of a stream");
  return Labels::from_unsorted(std::move(pairs));
}

std::string_view view_of(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

class LevelDbIndexStore final : public IndexStore {
 public:
  LevelDbIndexStore(std::unique_ptr<leveldb::Env> env, std::unique_ptr<leveldb::DB> db)
      : env_(std::move(env)), db_(std::move(db)) {}

  Result<std::vector<std::uint64_t>> segments(std::string_view tenant) override {
    const std::string start = prefix('C', tenant);
    std::vector<std::uint64_t> ids;
    const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator({}));
    for (it->Seek(start); it->Valid() && view_of(it->key()).starts_with(start); it->Next()) {
      ids.push_back(read_big_endian<std::uint64_t>(view_of(it->key()).substr(start.size())));
    }
    if (!it->status().ok()) return fail(from_leveldb(it->status()));
    return ids;
  }

  Result<std::optional<std::vector<CatalogueStream>>> streams(std::string_view tenant, std::uint64_t segment) override {
    std::string value;
    const auto status = db_->Get({}, catalogue_key(tenant, segment), &value);
    if (status.IsNotFound()) return std::optional<std::vector<CatalogueStream>>();
    if (!status.ok()) return fail(from_leveldb(status));
    MutexLock lock(mutex_);
    KVASIR_TRY(const auto* series, series_of(tenant));
    ByteReader reader(value);
    std::vector<CatalogueStream> streams(reader.count(12));
    for (auto& stream : streams) {
      const SeriesKey key{reader.fixed<std::uint64_t>(), reader.fixed<std::uint16_t>()};
      stream.first = {reader.zigzag()};
      stream.last = {static_cast<std::int64_t>(static_cast<std::uint64_t>(stream.first.value) + reader.varint())};
      const auto found = series->find(key);
      if (!reader.ok() || found == series->end()) return fail(ErrorCode::kCorruption, "index: streams of a segment");
      stream.labels = found->second;
    }
    return std::optional(std::move(streams));
  }

  Result<void> put(std::string_view tenant, std::uint64_t segment, std::span<const CatalogueStream> streams) override {
    MutexLock lock(mutex_);
    KVASIR_TRY(auto* series, series_of(tenant));
    leveldb::WriteBatch batch;
    std::string value;
    ByteWriter writer(value);
    writer.varint(streams.size());
    for (const auto& stream : streams) {
      const SeriesKey key = find_or_add(tenant, *series, stream.labels, batch);
      writer.fixed(key.fingerprint);
      writer.fixed(key.ordinal);
      writer.zigzag(stream.first.value);
      writer.varint(static_cast<std::uint64_t>(stream.last.value) - static_cast<std::uint64_t>(stream.first.value));
    }
    batch.Put(catalogue_key(tenant, segment), value);
    return write(batch);
  }

  Result<void> remove(std::string_view tenant, std::span<const std::uint64_t> segments) override {
    leveldb::WriteBatch batch;
    for (const std::uint64_t segment : segments) batch.Delete(catalogue_key(tenant, segment));
    return write(batch);
  }

 private:
  using SeriesMap = std::map<SeriesKey, std::shared_ptr<const Labels>>;

  Result<void> write(leveldb::WriteBatch& batch) {
    const auto status = db_->Write({}, &batch);
    if (!status.ok()) return fail(from_leveldb(status));
    return {};
  }

  /// All label sets of the tenant, read at the first use.
  Result<SeriesMap*> series_of(std::string_view tenant) KVASIR_REQUIRES(mutex_) {
    if (const auto known = series_.find(std::string(tenant)); known != series_.end()) return &known->second;
    const std::string start = prefix('S', tenant);
    SeriesMap loaded;
    const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator({}));
    for (it->Seek(start); it->Valid() && view_of(it->key()).starts_with(start); it->Next()) {
      const auto key = view_of(it->key()).substr(start.size());
      if (key.size() != 10) return fail(ErrorCode::kCorruption, "index: key of a stream");
      KVASIR_TRY(auto labels, decode_labels(view_of(it->value())));
      loaded[{read_big_endian<std::uint64_t>(key), read_big_endian<std::uint16_t>(key.substr(8))}] =
          std::make_shared<const Labels>(std::move(labels));
    }
    if (!it->status().ok()) return fail(from_leveldb(it->status()));
    return &(series_[std::string(tenant)] = std::move(loaded));
  }

  static SeriesKey find_or_add(std::string_view tenant, SeriesMap& series, const std::shared_ptr<const Labels>& labels,
                               leveldb::WriteBatch& batch) {
    SeriesKey key{labels->fingerprint().value, 0};
    for (auto it = series.find(key); it != series.end(); it = series.find(key)) {
      if (it->second == labels || *it->second == *labels) return key;
      ++key.ordinal;
    }
    series.emplace(key, labels);
    batch.Put(series_key(tenant, key), encode_labels(*labels));
    return key;
  }

  std::unique_ptr<leveldb::Env> env_;
  std::unique_ptr<leveldb::DB> db_;
  Mutex mutex_;
  std::unordered_map<std::string, SeriesMap> series_ KVASIR_GUARDED_BY(mutex_);
};

class NoIndexStore final : public IndexStore {
 public:
  Result<std::vector<std::uint64_t>> segments(std::string_view) override { return std::vector<std::uint64_t>(); }
  Result<std::optional<std::vector<CatalogueStream>>> streams(std::string_view, std::uint64_t) override {
    return std::optional<std::vector<CatalogueStream>>();
  }
  Result<void> put(std::string_view, std::uint64_t, std::span<const CatalogueStream>) override { return {}; }
  Result<void> remove(std::string_view, std::span<const std::uint64_t>) override { return {}; }
};

Result<std::unique_ptr<leveldb::DB>> open_database(leveldb::Env& env, const Path& directory) {
  leveldb::Options options;
  options.env = &env;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  leveldb::DB* raw = nullptr;
  const auto opened = leveldb::DB::Open(options, directory, &raw);
  std::unique_ptr<leveldb::DB> db(raw);
  if (!opened.ok()) return fail(from_leveldb(opened));
  std::string version;
  const auto read = db->Get({}, leveldb::Slice(kVersionKey.data(), kVersionKey.size()), &version);
  if (read.ok() && version == kVersion) return db;
  if (!read.IsNotFound() || !version.empty()) return fail(ErrorCode::kCorruption, "index: version of the database");
  const std::unique_ptr<leveldb::Iterator> any(db->NewIterator({}));
  any->SeekToFirst();
  if (any->Valid() || !any->status().ok()) return fail(ErrorCode::kCorruption, "index: database without a version");
  const auto written = db->Put({}, leveldb::Slice(kVersionKey.data(), kVersionKey.size()),
                               leveldb::Slice(kVersion.data(), kVersion.size()));
  if (!written.ok()) return fail(from_leveldb(written));
  return db;
}

Result<void> remove_files(Filesystem& filesystem, const Path& directory) {
  KVASIR_TRY(const auto names, filesystem.list(directory));
  for (const auto& name : names) KVASIR_CHECK_OK(filesystem.remove(join_path(directory, name)));
  return {};
}

}  // namespace

std::unique_ptr<IndexStore> IndexStore::none() { return std::make_unique<NoIndexStore>(); }

Result<std::unique_ptr<IndexStore>> IndexStore::open(const Path& directory, Filesystem& filesystem) {
  KVASIR_CHECK_OK(filesystem.make_directories(directory));
  auto env = make_leveldb_env(filesystem);
  auto db = open_database(*env, directory);
  if (!db) {
    log::warn("index", "database cannot be used, making it anew from the segments", {{"reason", db.error().message()}});
    KVASIR_CHECK_OK(remove_files(filesystem, directory));
    db = open_database(*env, directory);
  }
  if (!db) return fail(db.error());
  return std::make_unique<LevelDbIndexStore>(std::move(env), std::move(*db));
}

}  // namespace kvasir::index
