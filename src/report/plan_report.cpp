#include "report/plan_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <ranges>

#include "core/counted.h"
#include "report/pair_blocks.h"
#include "report/settings_table.h"
#include "train/pairs_json.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

std::string gigabytes(int64_t bytes) {
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string work_text(const PlanReport& report) {
  const WorkEstimate& work = report.work;
  const auto row = [&](const char* phase, double passes, double cost, const char* remark) {
    return fmt::format("\n  {:<9}{:>15.1f}{:>15.0f} %{}", phase, passes, 100 * cost / work.cost.total(),
                       remark);
  };
  std::string text = fmt::format("\n\nWork: {} of {} on {}", counted(report.steps, "step"),
                                 counted(report.plan.draws.items, "item"), counted(report.ranks, "rank"));
  text += fmt::format("\n  {:<9}{:>15}{:>17}", "phase", "passes a step", "of the cost");
  text += row(
      "rollout", work.passes.rollout, work.cost.rollout,
      fmt::format("   k = {:.1f} on average, K = {}", work.rollout_length, report.plan.draws.denoising_steps)
          .c_str());
  text += row("frozen", work.passes.frozen, work.cost.frozen, "");
  text += row("train", work.passes.train, work.cost.train, "   the backward pass counted as two");
  text += row("together", work.passes.total(), work.cost.total(), "");
  text +=
      fmt::format("\n  A pass is one sample through the U-Net; a step costs {:.4g} passes at 512×512 pixels.",
                  work.cost.total());
  text += fmt::format(
      "\n  Efficiency {:.0f} %: the ranks' mean load over the greatest, mean of {}", 100 * work.efficiency,
      work.steps == report.steps ? "all steps" : fmt::format("the first {} steps", work.steps));
  return text;
}

// "attn1.to_q" of "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q".
std::string kind_of(const std::string& module) {
  size_t begin = 0;
  for (size_t dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1)) {
    const size_t end = std::min(module.find('.', dot + 1), module.size());
    const bool is_number = std::all_of(module.begin() + dot + 1, module.begin() + end,
                                       [](char c) { return c >= '0' && c <= '9'; });
    const bool names_a_block = module.substr(0, dot).ends_with("s");  // attentions.0, not ff.net.0
    if (is_number && names_a_block) begin = std::min(end + 1, module.size());
  }
  return module.substr(begin);
}

// "rank 4", or "ranks 1 … 8" where they differ.
std::string ranks_text(const std::vector<int64_t>& ranks) {
  const auto [least, greatest] = std::ranges::minmax(ranks);
  return least == greatest ? fmt::format("rank {}", least) : fmt::format("ranks {} … {}", least, greatest);
}

// By kind: how many there are, and with which ranks where not all modules have the same.
std::string modules_text(const PlanReport& report) {
  if (!report.modules) return "\n\nModules, memory: not known without --pretrained_model_name_or_path";
  std::map<std::string, std::vector<int64_t>> kinds;
  for (size_t i = 0; i < report.modules->size(); ++i)
    kinds[kind_of((*report.modules)[i])].push_back(report.ranks_of_modules[i]);
  std::string text = fmt::format("\n\nModules: {}, {} (names: --json)", report.modules->size(),
                                 ranks_text(report.ranks_of_modules));
  const bool alike = ranks_text(report.ranks_of_modules).starts_with("rank ");
  const size_t columns = alike ? 4 : 2, width = alike ? 21 : 42;
  std::vector<std::string> cells;
  for (const auto& [kind, ranks] : kinds)
    cells.push_back(fmt::format("{:>4} {}{}", ranks.size(), kind, alike ? "" : ", " + ranks_text(ranks)));
  for (size_t i = 0; i < cells.size(); ++i) {
    const bool ends_line = i % columns + 1 == columns || i + 1 == cells.size();
    text += (i % columns == 0 ? "\n" : "") + (ends_line ? cells[i] : fmt::format("{:<{}}", cells[i], width));
  }
  return text;
}

std::string memory_text(const MemoryEstimate& memory) {
  return fmt::format("\n\nMemory: about {} a rank", gigabytes(memory.total())) +
         aligned_table(
             {{"program", gigabytes(memory.program)},
              {"weights", gigabytes(memory.weights) + "  the frozen model, and copies for the backward pass"},
              {"LoRA", gigabytes(memory.lora) + "  weights, gradients, optimizer state, the exact merge"},
              {"activations", gigabytes(memory.activations) + "  of the largest pass"}});
}

// The items of a rank, in their own order.
std::vector<WorkItem> items_of(const StepPlan& plan, const std::vector<int64_t>& share) {
  std::vector<WorkItem> items;
  for (const int64_t pack : share)
    items.insert(items.end(), plan.packs[pack].begin(), plan.packs[pack].end());
  std::ranges::sort(items, {}, &WorkItem::index);
  return items;
}

std::string share_text(const StepPlan& plan, size_t rank, double total) {
  constexpr size_t kMostItems = 6;
  const std::vector<WorkItem> items = items_of(plan, plan.shares[rank]);
  double load = 0;
  for (const int64_t pack : plan.shares[rank]) load += plan.costs[pack];
  std::vector<std::string> parts;
  for (const WorkItem& item : items | std::views::take(kMostItems))
    parts.push_back(fmt::format("item {} (pair {}, k {}, {}×{})", item.index, item.pair, item.k,
                                item.resolution.height, item.resolution.width));
  if (items.size() > kMostItems) parts.push_back(fmt::format("{} more", items.size() - kMostItems));
  if (items.empty()) parts.push_back("nothing to do");
  return fmt::format("\n    rank {}, {:.0f} % of the cost: {}", rank, 100 * load / total,
                     fmt::join(parts, ", "));
}

std::string shares_text(const PlanReport& report) {
  constexpr size_t kMostRanks = 64;
  std::string text = "\n\nShares";
  if (!report.seed_is_given)
    text += fmt::format(
        "\n  Without --seed the order, k and sizes are drawn at the start. This is an example with "
        "--seed={}.",
        report.plan.draws.seed);
  for (size_t step = 0; step < report.first_steps.size(); ++step) {
    const StepPlan& plan = report.first_steps[step];
    double total = 0;
    for (const double cost : plan.costs) total += cost;
    text += fmt::format("\n  step {}", step);
    for (size_t rank = 0; rank < std::min(plan.shares.size(), kMostRanks); ++rank)
      text += share_text(plan, rank, total);
    if (plan.shares.size() > kMostRanks)
      text += fmt::format("\n    and {} more ranks (--json has them)", plan.shares.size() - kMostRanks);
  }
  return text;
}

}  // namespace

std::string plan_text(const PlanReport& report) {
  std::string text = fmt::format("Pairs: {}", report.pairs.size());
  text += pair_blocks(ordered_json::parse(pairs_json(report.pairs)));
  text += "\n\nSettings" + aligned_table(report.settings);
  text += modules_text(report);
  if (report.memory) text += memory_text(*report.memory);
  return text + work_text(report) + shares_text(report) + "\n";
}

std::string plan_json(const PlanReport& report) {
  ordered_json settings = ordered_json::object(), shares = ordered_json::array(), modules, memory;
  for (const auto& [name, value] : report.settings) settings[name] = value;
  const StepPlan& first = report.first_steps.front();
  for (const auto& share : first.shares) {
    ordered_json indices = ordered_json::array();
    for (const WorkItem& item : items_of(first, share)) indices.push_back(item.index);
    shares.push_back(indices);
  }
  if (report.modules) modules = *report.modules;
  if (report.memory) memory = report.memory->total();
  const ordered_json plan = {{"pairs", ordered_json::parse(pairs_json(report.pairs))},
                             {"settings", settings},
                             {"modules", modules},
                             {"shares", shares},
                             {"cost", report.work.cost.total()},
                             {"memory_bytes", memory},
                             {"efficiency", report.work.efficiency}};
  return plan.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace leco
