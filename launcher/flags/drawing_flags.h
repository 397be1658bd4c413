// What the flags of `leco sample` and `leco evaluate` have in common: both draw with a model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/sampler.h"
#include "config/settings.h"
#include "launcher/flags/flag_groups.h"

namespace leco {

// Several words after one flag, or the flag several times (see join_lists).
Form texts_form(std::vector<std::string>& target, std::string metavar);

// "-2,-1,0,1,2": at most 64 finite numbers.
Form scales_form(std::vector<double>& target);

// A side of a picture: a multiple of 8 pixels. `unset` is shown when it is absent.
Form side_form(std::optional<int64_t>& target, std::string unset);

// Applies the words after the subcommand: a list that is given in several places becomes one, at the first of
// them. What was given; nothing where that asks for --help, and then nothing is applied.
std::optional<std::vector<Given>> apply_drawing_flags(std::span<const Flag> table,
                                                      std::span<const std::string> arguments);

// What says the model and how its text is read, and where to compute.
void add_drawn_model(FlagGroup& group, TrainSettings& model, std::string& vae);
void add_machine(FlagGroup& group, TrainSettings& model);

// Usage errors: a flag that must be given, and more steps than a sampler has timesteps.
void require_flag(bool is_given, std::string_view flag, std::string_view what);
void check_sample_steps(int64_t steps, SamplerKind sampler);

}  // namespace leco
