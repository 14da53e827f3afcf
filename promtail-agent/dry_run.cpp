#include "promtail-agent/dry_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "promtail-agent/config/load.h"

namespace kvasir::agent {

namespace {

/// `{a="x"}` of Labels::to_string, with the client's labels under the entry's and without the tenant.
std::string final_labels(const Entry& entry, const ClientConfig& client, std::string& tenant) {
  Labels labels;
  for (const auto& [name, value] : client.external_labels) labels.set(name, value);
  tenant = client.tenant_id;
  for (const Label& label : entry.labels()->labels) {
    if (label.name == kTenantLabel) {
      tenant = label.value;
    } else {
      labels.set(label.name, label.value);
    }
  }
  return labels.to_string();
}

}  // namespace

std::string dry_run_stamp(TimestampNs timestamp, std::int32_t zone_offset_seconds) {
  std::int64_t seconds = timestamp.value / 1'000'000'000;
  std::int64_t nanos = timestamp.value % 1'000'000'000;
  if (nanos < 0) nanos += 1'000'000'000, --seconds;
  const std::time_t local = seconds + zone_offset_seconds;
  std::tm parts{};
  ::gmtime_r(&local, &parts);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                                 parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (nanos != 0) {
    std::string fraction = fmt::format(".{:09}", nanos);
    while (fraction.back() == '0') fraction.pop_back();
    text += fraction;
  }
  const int minutes = std::abs(zone_offset_seconds) / 60;
  return text + fmt::format("{}{:02}{:02}", zone_offset_seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

DryRunPrinter::DryRunPrinter(std::vector<ClientConfig> clients, bool final_form)
    : clients_(std::move(clients)), final_form_(final_form), colour_(::isatty(STDOUT_FILENO) == 1) {
  std::string text = "Clients configured:\n----------------------\n";
  for (const ClientConfig& client : clients_) text += print_client(client) + "----------------------\n";
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

bool DryRunPrinter::push(const Entry& entry) {
  const std::string stamp = dry_run_stamp(entry.timestamp(), entry.zone_offset_seconds());
  std::string labels = entry.labels()->labels.to_string();
  std::string extra;
  if (final_form_ && !clients_.empty()) {
    std::string tenant;
    labels = final_labels(entry, clients_.front(), tenant);
    for (const LabelView& pair : entry.metadata()) extra += fmt::format("\t{}={}", pair.name, pair.value);
    if (!tenant.empty()) extra += "\ttenant=" + tenant;
  }
  const char* on = colour_ ? "\x1b[33m" : "";
  const char* off = colour_ ? "\x1b[0m" : "";
  const std::string text = fmt::format("{}{}{}\t{}\t{}{}\n", on, stamp, off, labels, entry.line(), extra);
  const MutexLock lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return true;
}

}  // namespace kvasir::agent
