// otlp_mapper.h -- turns OTLP resources, scopes and records into streams, labels and metadata by the tenant's rules.
//
// Use:      begin_resource, then for each scope begin_scope and its records; finish at the end.
// Threads:  one at a time.
// Errors:   invalid_argument for a name that cannot be stored; parse for a rule's regex (create()).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/regex.h"
#include "common/result.h"
#include "ingest/wire/otlp_config.h"
#include "ingest/wire/otlp_model.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

class OtlpMapper {
 public:
  /// texts_stay: string views of the model outlive the push (they point into its body); else they are copied.
  static Result<OtlpMapper> create(const OtlpConfig& config, TimestampNs now, bool texts_stay, DecodedPush& push);

  Result<void> begin_resource(const OtlpAttributes& attributes);
  Result<void> begin_scope(const OtlpScope& scope);
  Result<void> add(const OtlpRecord& record);
  void finish();

 private:
  struct Rule {
    OtlpAction action;
    std::vector<std::string> names;
    std::shared_ptr<const re2::RE2> regex;  // null: names count
  };
  using Rules = std::vector<Rule>;

  OtlpMapper(const OtlpConfig& config, TimestampNs now, bool texts_stay, DecodedPush& push)
      : config_(config), now_(now), texts_stay_(texts_stay), push_(push) {}

  static Result<Rules> compile(const std::vector<OtlpRule>& rules);
  static OtlpAction action_for(const Rules& rules, std::string_view name);
  std::string_view keep(std::string_view text);
  std::string_view text_of(const OtlpValue& value);
  Result<void> put_attributes(const OtlpAttributes& attributes, const Rules& rules, std::vector<LabelView>& metadata);
  Result<void> put_value(std::string_view name, const OtlpValue& value, std::vector<LabelView>& out);
  static void put(std::vector<LabelView>& out, std::string_view name, std::string_view text);
  void put_number(std::vector<LabelView>& out, std::string_view name, std::uint64_t number);
  void put_record_fields(const OtlpRecord& record);
  void open_stream(std::string_view severity_text);
  std::string_view label_text(std::string_view severity_text);

  const OtlpConfig& config_;
  TimestampNs now_;
  bool texts_stay_;
  DecodedPush& push_;
  Rules resource_rules_, scope_rules_, log_rules_;
  std::vector<LabelView> index_labels_;       // of the resource
  std::vector<LabelView> resource_metadata_;
  std::vector<LabelView> scope_metadata_;
  std::uint32_t resources_ = 0;               // begun
  std::uint32_t scopes_ = 0;                  // begun in this resource
  bool open_ = false;                         // push_.streams.back() takes records
};

}  // namespace kvasir::ingest
