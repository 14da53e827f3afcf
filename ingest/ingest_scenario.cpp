#include "ingest/ingest_scenario.h"

#include <algorithm>
#include <future>

namespace kvasir::ingest {
namespace {

constexpr TimeRange kEver{TimestampNs::min(), TimestampNs::max()};

std::string row_key(std::string_view tenant, const Labels& labels, const EntryView& row, bool with_sequence) {
  std::string key = std::string(tenant) + "|" + labels.to_string() + "|" + std::to_string(row.timestamp.value) + "|" +
                    std::string(row.line);
  for (const auto& label : row.metadata) key += "|" + std::string(label.name) + "=" + std::string(label.value);
  if (with_sequence) key += "#" + std::to_string(row.sequence);
  return key;
}

Labels labels_of(const TestEntry& entry) { return Labels{{"s", entry.stream}, {"service_name", "test"}}; }

void read_segment(const Segment& segment, std::string_view tenant, bool with_sequence, Found& found) {
  const auto reader = segment.reader();
  if (!reader) return;
  for (std::size_t i = 0; i < (*reader)->blocks().size(); ++i) {
    const auto block = (*reader)->open_block(i);
    if (!block) continue;
    const std::size_t rows = (*block)->rows();
    std::vector<std::uint64_t> all((rows + 63) / 64, UINT64_MAX);
    if (rows % 64 != 0) all.back() = (std::uint64_t{1} << rows % 64) - 1;
    std::vector<std::string_view> lines(rows);
    if (!(*block)->lines({all, rows}, lines)) continue;
    for (std::size_t row = 0; row < rows; ++row) {
      EntryView entry{{(*block)->timestamps()[row]}, (*block)->sequences().value()[row], lines[row], {}};
      if ((*block)->has_metadata()) entry.metadata = (*block)->metadata(row).value();
      ++found[row_key(tenant, (*reader)->streams()[(*reader)->blocks()[i].stream].labels, entry, with_sequence)];
    }
  }
}

std::vector<LabelView> metadata_of(const TestEntry& entry) {
  std::vector<LabelView> metadata;
  if (!entry.level.empty()) metadata.push_back({"detected_level", entry.level});
  if (!entry.trace.empty()) metadata.push_back({"trace_id", entry.trace});
  return metadata;
}

}  // namespace

std::string entry_key(std::string_view tenant, const TestEntry& entry) {
  const auto metadata = metadata_of(entry);
  return row_key(tenant, labels_of(entry), {{entry.timestamp}, 0, entry.line, metadata}, false);
}

std::shared_ptr<const StreamIdentity> identity_of(Labels labels) {
  const auto fingerprint = labels.fingerprint();
  const auto text = labels.to_string();
  return std::make_shared<const StreamIdentity>(StreamIdentity{std::move(labels), fingerprint, text});
}

Result<std::unique_ptr<Store>> Store::open(Filesystem& filesystem, IngesterOptions options) {
  std::unique_ptr<Store> store(new Store);
  store->budget_ = std::make_unique<MemoryBudget>("process", 0);
  options.wal_directory = "data/wal";
  options.on_fatal = [died = store->died_](std::string_view) { *died = true; };
  KVASIR_TRY(store->storage_, Storage::open("data", filesystem));
  KVASIR_TRY(store->ingester_,
             Ingester::open(std::move(options), *store->storage_, filesystem, system_clock(), *store->budget_));
  return store;
}

Store::~Store() {
  ingester_.reset();
  storage_.reset();
}

Result<Rejections> Store::push(std::string_view tenant, const std::vector<TestEntry>& entries,
                               std::optional<PushOrigin> origin) {
  std::map<std::string, std::vector<EntryView>> streams;
  std::vector<std::vector<LabelView>> metadata;
  metadata.reserve(entries.size());
  for (const TestEntry& entry : entries) {
    metadata.push_back(metadata_of(entry));
    streams[entry.stream].push_back({{entry.timestamp}, 0, entry.line, metadata.back()});
  }
  PushBatch batch;
  batch.tenant = tenant;
  batch.origin = std::move(origin);
  for (const auto& [name, rows] : streams) {
    PushStream stream{identity_of(labels_of({.stream = name})), rows, 0};
    for (const auto& row : rows) stream.bytes += row.line.size();
    batch.streams.push_back(std::move(stream));
  }
  auto answer = std::make_shared<std::promise<Result<Rejections>>>();
  auto future = answer->get_future();
  ingester_->push(std::move(batch), [answer](Result<Rejections> result) { answer->set_value(std::move(result)); });
  return future.get();
}

Found Store::read(bool with_sequence) const {
  Found found;
  for (TenantStorage* tenant : storage_->tenants()) {
    const auto ids = tenant->index().select({});
    const auto snapshot = ingester_->snapshot(tenant->tenant(), ids, kEver);
    for (const auto& block : snapshot.head) {
      for (std::uint32_t i = 0; i < block.chunk.summary.rows; ++i) {
        ++found[row_key(tenant->tenant(), block.identity->labels, block.chunk.chunk->row(i), with_sequence)];
      }
    }
    for (const auto& segment : snapshot.segments->segments) {
      read_segment(*segment, tenant->tenant(), with_sequence, found);
    }
  }
  return found;
}

}  // namespace kvasir::ingest
