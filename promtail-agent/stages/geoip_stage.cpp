// The geoip stage: labels for an address from a MaxMind database.
#include <arpa/inet.h>
#include <maxminddb.h>
#include <netinet/in.h>

#include <cstring>

#include "common/number.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class Database {
 public:
  explicit Database(MMDB_s db) : db_(db) {}
  ~Database() { MMDB_close(&db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::optional<MMDB_entry_s> find(const std::string& address) const {
    sockaddr_storage storage{};
    if (!parse(address, storage)) return std::nullopt;
    int error = MMDB_SUCCESS;
    const auto result = MMDB_lookup_sockaddr(&db_, reinterpret_cast<const sockaddr*>(&storage), &error);
    if (error != MMDB_SUCCESS || !result.found_entry) return std::nullopt;
    return result.entry;
  }

 private:
  // An IPv6 address that stands for an IPv4 one is looked up as that.
  static bool parse(const std::string& address, sockaddr_storage& out) {
    in_addr v4{};
    in6_addr v6{};
    if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return store(v4, out), true;
    if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
      return store(v4, out), true;
    }
    auto& socket = reinterpret_cast<sockaddr_in6&>(out);
    socket.sin6_family = AF_INET6;
    socket.sin6_addr = v6;
    return true;
  }

  static void store(const in_addr& address, sockaddr_storage& out) {
    auto& socket = reinterpret_cast<sockaddr_in&>(out);
    socket.sin_family = AF_INET;
    socket.sin_addr = address;
  }

  MMDB_s db_;
};

using Path = std::vector<const char*>;  // ends with nullptr, as the library wants it

std::optional<MMDB_entry_data_s> get(MMDB_entry_s entry, const Path& path) {
  MMDB_entry_data_s data{};
  if (MMDB_aget_value(&entry, &data, path.data()) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
  return data;
}

std::string text_of(const MMDB_entry_data_s& data) {
  switch (data.type) {
    case MMDB_DATA_TYPE_UTF8_STRING: return std::string(data.utf8_string, data.data_size);
    case MMDB_DATA_TYPE_DOUBLE: return format_sample_value(data.double_value);
    case MMDB_DATA_TYPE_FLOAT: return format_sample_value(data.float_value);
    case MMDB_DATA_TYPE_UINT16: return std::to_string(data.uint16);
    case MMDB_DATA_TYPE_UINT32: return std::to_string(data.uint32);
    case MMDB_DATA_TYPE_UINT64: return std::to_string(data.uint64);
    default: return {};
  }
}

class GeoipStage final : public Stage {
 public:
  GeoipStage(std::unique_ptr<Database> database, bool city, std::string source, const StageContext& context)
      : database_(std::move(database)), city_(city), source_(std::move(source)), sets_(context.label_sets) {}
  std::string_view name() const override { return "geoip"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const Value value = entry.extracted().get(source_);
    if (!value.has_text()) return Verdict::kPass;
    NumberText scratch;
    const auto found = database_->find(std::string(value_text(value, scratch)));
    if (!found) return Verdict::kPass;
    if (city_) set_city(*found, entry);
    else set_asn(*found, entry);
    return Verdict::kPass;
  }

 private:
  void set(Entry& entry, std::string_view label, const MMDB_entry_s& record, const Path& path) {
    const auto data = get(record, path);
    const std::string text = data ? text_of(*data) : std::string();
    if (!text.empty()) entry.set_labels(sets_->with(entry.labels(), label, text));
  }

  void set_city(const MMDB_entry_s& record, Entry& entry) {
    set(entry, "geoip_city_name", record, {"city", "names", "en", nullptr});
    set(entry, "geoip_country_name", record, {"country", "names", "en", nullptr});
    set(entry, "geoip_continent_name", record, {"continent", "names", "en", nullptr});
    set(entry, "geoip_continent_code", record, {"continent", "code", nullptr});
    set(entry, "geoip_postal_code", record, {"postal", "code", nullptr});
    set(entry, "geoip_timezone", record, {"location", "time_zone", nullptr});
    set_subdivision(record, entry);
    const auto latitude = get(record, {"location", "latitude", nullptr});
    const auto longitude = get(record, {"location", "longitude", nullptr});
    if (!latitude && !longitude) return;
    set(entry, "geoip_location_latitude", record, {"location", "latitude", nullptr});
    set(entry, "geoip_location_longitude", record, {"location", "longitude", nullptr});
  }

  // The last one listed is the most specific.
  void set_subdivision(const MMDB_entry_s& record, Entry& entry) {
    const auto list = get(record, {"subdivisions", nullptr});
    if (!list || list->type != MMDB_DATA_TYPE_ARRAY || list->data_size == 0) return;
    const std::string last = std::to_string(list->data_size - 1);
    set(entry, "geoip_subdivision_name", record, {"subdivisions", last.c_str(), "names", "en", nullptr});
    set(entry, "geoip_subdivision_code", record, {"subdivisions", last.c_str(), "iso_code", nullptr});
  }

  void set_asn(const MMDB_entry_s& record, Entry& entry) {
    set(entry, "geoip_autonomous_system_number", record, {"autonomous_system_number", nullptr});
    set(entry, "geoip_autonomous_system_organization", record, {"autonomous_system_organization", nullptr});
  }

  std::unique_ptr<Database> database_;
  bool city_;
  std::string source_;
  LabelSetTable* sets_;
};

}  // namespace

StageResult make_geoip_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto path = options.text("db", "");
  const auto type = options.text("db_type", "");
  auto source = options.text("source", "");
  if (path.empty()) options.fault("db", "db path cannot be empty");
  if (source.empty()) options.fault("source", "source cannot be empty");
  if (type != "city" && type != "asn") options.fault("db_type", "db type should be either city or asn");
  KVASIR_CHECK_OK(options.finish());
  MMDB_s db{};
  const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &db);
  if (status != MMDB_SUCCESS) return invalid("open " + path + ": " + MMDB_strerror(status));
  return std::make_unique<GeoipStage>(std::make_unique<Database>(db), type == "city", std::move(source), context.stage);
}

}  // namespace kvasir::agent
