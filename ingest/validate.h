// validate.h -- decides what of a decoded push is taken, in Loki's order and words.
//
// Shape:    (DecodedPush, TenantLimits, now) -> PushBatch + Rejections. Good entries go on even if others are refused;
//           only broken labels (unless verdicts are asked for), an empty request and the tenant's rate limit refuse the
//           whole push.
// State:    per tenant, the identities of known label strings (one hash look-up per stream) and the rate limiters.
// Lifetime: the batch keeps the DecodedPush alive.
// Threads:  any; one mutex per tenant, held while streams are looked up and rates are charged.
// Errors:   as Refusal: the status and text of the answer; nothing is taken then.
// Limits:   kKnownStreamsMax label strings per tenant, kTenantsMax tenants: forgotten, not refused, beyond.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "common/clock.h"
#include "common/mutex.h"
#include "ingest/limits.h"
#include "ingest/push_batch.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

struct Validated {
  PushBatch batch;
  Rejections rejections;        // by the rules for labels and entries
  Rejections rate_rejections;   // by a stream's rate: their status comes before that of `rejections`
};

/// A whole push refused.
struct Refusal {
  int status = 400;
  std::string message;
  Rejections counted;     // what the discard metrics should count; may be empty
};

using ValidateResult = std::variant<Validated, Refusal>;

class TenantIntake;

class PushValidator {
 public:
  explicit PushValidator(const Clock& clock);
  ~PushValidator();

  /// limits: the same pointer as long as nothing has changed, or known streams are forgotten. verdicts: null unless
  /// asked for.
  ValidateResult validate(std::string_view tenant, std::shared_ptr<DecodedPush> push,
                          const std::shared_ptr<const TenantLimits>& limits,
                          std::shared_ptr<PushVerdicts> verdicts = nullptr);

 private:
  std::shared_ptr<TenantIntake> intake(std::string_view tenant);

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<TenantIntake>, std::less<>> tenants_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::ingest
