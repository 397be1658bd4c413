#include "config/prompt_sliders.h"

#include <optional>

#include <fmt/format.h>

namespace leco {
namespace {

struct Poles {
  std::optional<std::string> positive;
  std::optional<std::string> negative;
};

// A pole that is "" is a pole all the same: the empty prompt. Two of those name no direction.
Poles read_poles(const ConfigTable& entry, const Levels& levels, Notices& notices) {
  Poles poles;
  bool any_text = false;
  for (const auto& [key, pole] :
       {std::pair{"positive", &poles.positive}, std::pair{"negative", &poles.negative}}) {
    const ConfigTable* table = levels.find(key);
    if (table == nullptr) continue;
    *pole = table->text(key);
    any_text = any_text || !(*pole)->empty();
  }
  if (!any_text) {
    fail_at(entry.path(), entry.line("target_class"),
            fmt::format("{}: a slider needs 'positive' or 'negative' (or both), and one of them not \"\"",
                        entry.name()));
  }
  for (const auto& [key, pole] :
       {std::pair{"positive", &poles.positive}, std::pair{"negative", &poles.negative}}) {
    if (pole->has_value() && (*pole)->empty()) {
      add_notice(notices, *levels.find(key), key,
                 "is the empty prompt, taken as a pole of the slider (four pairs); leave the key out for a "
                 "slider of one "
                 "pole (two pairs)");
    }
  }
  return poles;
}

struct Turn {
  std::string positive;
  std::string unconditional;
  Action action;
  double sign;  // of the multiplier
};

std::vector<Turn> turns(const Poles& poles) {
  using enum Action;
  if (poles.positive && poles.negative) {
    const std::string &p = *poles.positive, &n = *poles.negative;
    return {{n, p, kErase, 1}, {p, n, kEnhance, 1}, {p, n, kErase, -1}, {n, p, kEnhance, -1}};
  }
  if (poles.negative) return {{*poles.negative, "", kErase, 1}, {*poles.negative, "", kEnhance, -1}};
  return {{*poles.positive, "", kEnhance, 1}, {*poles.positive, "", kErase, -1}};
}

}  // namespace

Slider expand_slider(const ConfigTable* own, const Levels& outer, NeutralPrompts& neutrals,
                     Notices& notices) {
  const Levels levels = outer.inside(own);
  const ConfigTable& entry = own != nullptr ? *own : *levels.find("target_class");

  PromptPair pair = common_settings(levels);
  pair.target = levels.text("target_class", "");
  const double multiplier = pair.multiplier;
  const Poles poles = read_poles(entry, levels, notices);
  const auto directions = turns(poles);
  const auto sizes = slider_sizes(levels, notices);
  const auto starts = neutrals.of(own, outer, notices);
  check_pair_count(entry, starts.size() * sizes.size() * directions.size());
  Slider slider{.pairs = {},
                .direction = {.target = pair.target,
                              .positive = poles.positive.value_or(pair.target),
                              .negative = poles.negative.value_or(starts.front()),
                              .sign = multiplier < 0 ? -1.0 : 1.0,
                              .resolution = sizes.front().resolution}};
  for (const std::string& neutral : starts) {
    for (const Size& size : sizes) {
      for (const Turn& turn : directions) {
        pair.positive = turn.positive;
        pair.unconditional = turn.unconditional;
        pair.neutral = neutral;
        pair.action = turn.action;
        pair.resolution = size.resolution;
        pair.dynamic_resolution = size.dynamic;
        pair.multiplier = turn.sign * multiplier;
        slider.pairs.push_back(pair);
      }
    }
  }
  return slider;
}

}  // namespace leco
