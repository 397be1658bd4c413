// Rows of the flag table: steps, clipping.
#include "launcher/flags/flag_groups.h"

namespace leco {
namespace {

constexpr int64_t kMostSteps =
    4'294'967'294;  // a step is one 32-bit counter word; the last one belongs to `evaluate`
constexpr int64_t kMostAccumulation = 1'000'000;

}  // namespace

void add_step_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Steps");
  group.works("max_train_steps", integer_form(settings.max_train_steps, {1, kMostSteps}),
              "optimizer steps; 300 to 2000 is usual for LECO");
  group.refused("max_train_epochs", unbound_form(ValueKind::kInteger),
                "an epoch is a pass over images, and LECO has none; use --max_train_steps");
  group.works_aside(  // what counts is the number of items, pairs_per_step, which is decided and stored
      "gradient_accumulation_steps",
      integer_form(settings.gradient_accumulation_steps, {1, kMostAccumulation}),
      "work items a rank contributes to a step, where pairs_per_step does not say how many a step has");
  group.works("max_grad_norm", number_form(settings.max_grad_norm, {.lowest = 0}),
              "gradients longer than this are scaled down to it; 0 is off");
}

}  // namespace leco
