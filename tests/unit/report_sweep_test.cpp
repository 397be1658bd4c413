// A sweep's results: the table, the file for programs and the page, from rows made by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "report/evaluation_report.h"
#include "report/metrics_file.h"
#include "report/sweep_results.h"
#include "report/thumbnail.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_pictures.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

const std::string kUgly = "a \"b\", <script>alert(1)</script> & c";

SweepRow done(const std::string& prompts, const std::string& rate, double loss) {
  const std::string name = prompts + " learning_rate=" + rate;
  return {.name = name,
          .prompts = prompts,
          .status = RunStatus::kDone,
          .seconds = 2.5,
          .swept = {{"learning_rate", rate}},
          .final_loss = loss,
          .measures = {{"response", 10 * loss}, {"cosine", 0.5}},
          .folder = name,
          .files = {name + "/" + name + ".safetensors"}};
}

// Ugly names, a failed run, one that is left and was included with a setting of its own.
SweepResults mixed() {
  SweepResults results{.name = "all <sizes>", .runs = {}};
  results.runs.push_back(done("size", "1e-3", 0.25));
  results.runs.push_back(done(kUgly, "1e-4", 0.125));
  results.runs.push_back({.name = "bad",
                          .prompts = "bad",
                          .status = RunStatus::kFailed,
                          .swept = {{"learning_rate", "1e-3"}},
                          .final_loss = std::nan(""),
                          .error = "'p.toml' <line 3>: no",
                          .folder = "bad"});
  results.runs.push_back({.name = "=later", .prompts = "later", .swept = {{"network_dim", "8"}}});
  return results;
}

std::string no_picture(const std::string&) {
  return "";
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(SweepCsv, IsRfc4180WithEmptyFieldsForWhatIsMissing) {
  EXPECT_EQ(sweep_csv(mixed()),
            "name,status,seconds,prompts,learning_rate,network_dim,final_loss,response,cosine\r\n"
            "size learning_rate=1e-3,done,2.5,size,1e-3,,0.25,2.5,0.5\r\n"
            "\"a \"\"b\"\", <script>alert(1)</script> & c learning_rate=1e-4\",done,2.5,\"a \"\"b\"\", "
            "<script>alert(1)</script> & c\",1e-4,,0.125,1.25,0.5\r\n"
            "bad,failed,,bad,1e-3,,,,\r\n"
            "=later,left,,later,,8,,,\r\n");
}

TEST(SweepCsv, WithoutSweptKeysAndRunsKeepsItsColumns) {
  EXPECT_EQ(sweep_csv({.name = "none", .runs = {}}), "name,status,seconds,prompts,final_loss\r\n");
  SweepRow run = done("size", "1", 0.5);
  run.swept.clear();
  run.measures.clear();
  run.name = "size\nof two";
  EXPECT_EQ(sweep_csv({.name = "one", .runs = {run}}),
            "name,status,seconds,prompts,final_loss\r\n\"size\nof two\",done,2.5,size,0.5\r\n");
}

TEST(SweepJson, HoldsEveryRunAndTheBest) {
  const auto json = nlohmann::json::parse(sweep_json(mixed()));
  EXPECT_EQ(json["name"], "all <sizes>");
  ASSERT_EQ(json["runs"].size(), 4);
  EXPECT_EQ(json["runs"][1]["name"], kUgly + " learning_rate=1e-4");
  EXPECT_EQ(json["runs"][1]["settings"]["learning_rate"], "1e-4");
  EXPECT_EQ(json["runs"][1]["measures"]["response"], 1.25);
  EXPECT_EQ(json["runs"][2]["status"], "failed");
  EXPECT_EQ(json["runs"][2]["error"], "'p.toml' <line 3>: no");
  EXPECT_TRUE(json["runs"][2]["final_loss"].is_null()) << "NaN is no JSON";
  EXPECT_TRUE(json["runs"][3]["seconds"].is_null());
  EXPECT_EQ(json["best"]["final_loss"], kUgly + " learning_rate=1e-4");
  EXPECT_EQ(json["best"]["response"], "size learning_rate=1e-3");
}

TEST(SweepJson, TakesNamesThatAreNoUtf8) {
  SweepResults results = mixed();
  results.runs[0].name = "\xff";
  EXPECT_EQ(nlohmann::json::parse(sweep_json(results))["runs"][0]["name"], "\uFFFD");
}

TEST(BestRun, IsTheFirstOfThoseThatShareTheValueAndFinished) {
  SweepResults results = mixed();
  const auto of = [&](const char* name) {
    return best_run(results,
                    *std::ranges::find(sweep_measures(), std::string_view(name), &SweepMeasure::name));
  };
  EXPECT_EQ(of("cosine")->run, 0);
  EXPECT_EQ(of("cosine")->sharing, 2);
  EXPECT_EQ(of("final_loss")->run, 1);
  EXPECT_FALSE(of("drift")) << "no run has it";
  results.runs[1].status = RunStatus::kRunning;
  EXPECT_EQ(of("final_loss")->run, 0);
  results.runs[0].measures.emplace_back("ssim", 0.5);
  EXPECT_FALSE(of("ssim")) << "neither more nor less of it is better";
}

TEST(SweepCharts, SortNumbersAndAverageOverTheOtherSettings) {
  SweepResults results{.name = "x",
                       .runs = {done("a", "1e-3", 0.25), done("a", "2e-4", 0.5), done("a", "1e-3", 0.75)}};
  for (SweepRow& run : results.runs) run.measures.clear();
  results.runs.back().swept.emplace_back("network_dim", "4");
  const std::vector<Chart> charts = sweep_charts(results);
  ASSERT_EQ(charts.size(), 1) << "a setting with one value has no curve";
  EXPECT_EQ(charts[0].x_names, (std::vector<std::string>{"2e-4", "1e-3"}));
  ASSERT_EQ(charts[0].series.size(), 1);
  EXPECT_EQ(charts[0].series[0].values, (std::vector<std::optional<double>>{0.5, 0.5}));
  EXPECT_EQ(charts[0].series[0].name, "a");
}

TEST(SweepCharts, OfManyPromptFilesShowQuartiles) {
  SweepResults results{.name = "x", .runs = {}};
  for (int i = 0; i < 9; ++i)
    for (const char* method : {"full", "xattn"}) {
      results.runs.push_back(done("p" + std::to_string(i), "1", i));
      results.runs.back().swept = {{"network_args", method}};
      results.runs.back().measures.clear();
    }
  const std::vector<Chart> charts = sweep_charts(results);
  ASSERT_EQ(charts.size(), 1);
  ASSERT_EQ(charts[0].series.size(), 3);
  for (size_t line = 0; line < 3; ++line)
    EXPECT_EQ(charts[0].series[line].values[1], 6.0 - 2.0 * static_cast<double>(line));
}

TEST(SweepPage, KeepsNamesAsTextAndLinksBelowItself) {
  SweepResults results = mixed();
  results.runs[0].folder = "javascript:alert(1)?#%";
  results.runs[0].files = {"javascript:alert(1)?#%/x y.safetensors"};
  results.runs[0].picture = "\" onerror=alert(1)";
  const std::string page = sweep_page(results, no_picture);
  EXPECT_EQ(count(page, "<script>"), 1) << "the page's own";
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<line 3>"), std::string::npos);
  EXPECT_NE(page.find("&lt;line 3&gt;"), std::string::npos) << "why a run failed";
  EXPECT_NE(page.find("href=\"./javascript%3Aalert%281%29%3F%23%25/x%20y.safetensors\""), std::string::npos);
  EXPECT_NE(page.find("src=\"./%22%20onerror%3Dalert%281%29\""), std::string::npos);
  EXPECT_NE(page.find("4 runs: 2 done, 1 failed, 1 left; 5 s of training."), std::string::npos);
}

TEST(SweepPage, RunsOfOtherSettingsStandApartAndAreNotCompared) {
  SweepResults results = mixed();
  const auto best = [&] { return best_run(results, sweep_measures().front())->run; };
  EXPECT_EQ(best(), 1);
  results.runs[1].status = RunStatus::kOther;
  results.runs[1].error = "finished with other settings: <seed>";
  EXPECT_EQ(best(), 0);
  const std::string page = sweep_page(results, no_picture);
  EXPECT_NE(page.find("4 runs: 1 done, 1 failed, 1 left, 1 other; 5 s of training."), std::string::npos);
  const size_t failed = page.find("<section id=\"failures\">"), other = page.find("<section id=\"others\">");
  ASSERT_LT(failed, other);
  ASSERT_NE(other, std::string::npos);
  EXPECT_EQ(count(page.substr(failed, other - failed), "&lt;"), 1) << "what failed is in line 3";
  EXPECT_EQ(count(page.substr(other, page.find("<section id=\"all\">") - other), "&lt;seed&gt;"), 1);
}

TEST(SweepPage, OfNothingIsAPage) {
  EXPECT_NE(sweep_page({.name = "none", .runs = {}}, no_picture).find("0 runs."), std::string::npos);
}

TEST(SweepPage, StaysSmallAtFiveHundredRuns) {
  SweepResults results{.name = "many", .runs = {}};
  for (int i = 0; i < 500; ++i) {
    results.runs.push_back(done("concept " + std::to_string(i / 5), "1e-" + std::to_string(i % 5), i));
    results.runs.back().picture = "x.jpg";
  }
  const auto bytes = [](size_t size) {
    return [size](const std::string&) { return "\xff\xd8" + std::string(size - 2, 'x'); };
  };
  const std::string plain = sweep_page(results, no_picture);
  EXPECT_LT(plain.size(), 600'000);
  const std::string page = sweep_page(results, bytes(kMostThumbnailBytes));
  EXPECT_LT(page.size(), kMostEmbedded + plain.size());
  EXPECT_EQ(count(page, "data:image/jpeg"), 500) << "the bound is for more runs than these";
  EXPECT_EQ(count(page, "loading=\"lazy\""), 500);
  EXPECT_EQ(count(sweep_page(results, bytes(kMostThumbnailBytes + 1)), "src=\"./x.jpg\""), 500);
}

// Noise compresses worst.
TEST(Thumbnail, StaysBelowItsBound) {
  std::vector<std::vector<Picture>> rows(9, std::vector<Picture>(12, Picture(64, 64)));
  uint32_t state = 1;
  for (auto& row : rows)
    for (Picture& picture : row)
      for (uint8_t& byte : picture.rgb) byte = (state = state * 1664525 + 1013904223) >> 24;
  EXPECT_LE(thumbnail_of(rows).size(), kMostThumbnailBytes);
  EXPECT_LE(thumbnail_of({{Picture(3000, 16)}}).size(), kMostThumbnailBytes);
  EXPECT_TRUE(thumbnail_of({{shaded(8, 8)}, {shaded(16, 16)}}).starts_with("\xff\xd8"));
}

std::string report_of(std::vector<double> scales, bool with_clip) {
  EvaluationReport report{
      .lora = "x", .directions = {}, .scales = {}, .curve = {}, .pictures = {}, .settings = {}};
  for (const double scale : scales) {
    ScaleMeasures at;
    at.scale = scale;
    at.response = 0.5 * scale;
    if (scale != 0) at.cosine = 0.25;
    at.drift = {{"a", 0.01 * std::abs(scale)}, {"b", 0.02 * std::abs(scale)}};
    if (with_clip) at.clip = ClipShift{scale, -scale};
    report.scales.push_back(at);
  }
  report.curve = measure_curve(report.scales);
  return evaluation_json(report);
}

TEST(Measures, AreThoseOfTheScaleNearestToOne) {
  using Values = std::vector<std::pair<std::string, double>>;
  const Values values = measures_of(report_of({-2, -1, 0, 0.5, 2}, false), "r.json");
  EXPECT_EQ(values, (Values{{"response", 0.25},
                            {"cosine", 0.25},
                            {"drift", 0.01},
                            {"spearman", 1},
                            {"symmetry", 1},
                            {"linear_width", 4},
                            {"recommended_width", 4},
                            {"pixel_distance", 0},
                            {"ssim", 1}}));
  EXPECT_EQ(measures_of(report_of({-1, 0, 1}, true), "r.json").back(),
            (std::pair<std::string, double>("clip_negative", -1)));
}

TEST(Measures, OfAFileThatIsNoReportAreRefused) {
  for (const char* text :
       {"{}", "[1]", "{\"scales\": [{\"scale\": \"1\"}]}", "{\"scales\": {\"scale\": 1}}", "x"})
    EXPECT_THROW(measures_of(text, "r.json"), Error) << text;
}

TEST(LastSteps, AreThoseOfTheLastWholeLinesHoweverLongTheyAre) {
  const testing::TemporaryFolder folder("leco-last-steps");
  const std::string path = folder / "x.metrics.jsonl";
  EXPECT_EQ(last_steps_in(path).step, 0) << "no such file";
  const auto after = [&](const std::string& more) {
    std::ofstream(path, std::ios::app) << more;
    return last_steps_in(path);
  };
  const auto line = [](int64_t step, size_t items) {
    return metrics_line({.step = step,
                         .seconds = {1.5, 0.25, 0.25, 0, 0.5},
                         .items = std::vector<WorkItem>(items, WorkItem{.resolution = {64, 64}})}) +
           "\n";
  };
  EXPECT_EQ(after("").step, 0);
  EXPECT_EQ(after(line(1, 1).substr(0, 10)).step, 0) << "it is being written";
  EXPECT_EQ(after(line(1, 1).substr(10)).step, 1);
  const std::string long_line = line(2, 9000);
  ASSERT_GT(long_line.size(), 300'000u);
  const LastSteps of_long = after(long_line + "{\"step\":3");
  EXPECT_EQ(of_long.step, 2);
  EXPECT_EQ(of_long.seconds, 2.5 * static_cast<double>(of_long.count));
  EXPECT_EQ(after("07}\nno step\n").step, 2) << "what is no line of a step is passed over";
  for (int64_t step = 3; step <= 1000; ++step) after(line(step, 1));
  const LastSteps last = last_steps_in(path);
  EXPECT_EQ(last.step, 1000);
  EXPECT_GT(last.count, 20);
  EXPECT_LT(last.count, 200) << "the whole file was read";
  EXPECT_EQ(last.seconds, 2.5 * static_cast<double>(last.count));
}

TEST(AddEvaluation, FindsWhatLiesInTheRunsFolder) {
  const fs::path folder = fs::path(::testing::TempDir()) / "sweep_results" / std::to_string(getpid());
  const auto write = [&](const std::string& name, const std::string& text) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << text;
  };
  write("run/sample/run-step00000002-00.png", "png");
  write("run/sample/run-step00000010-00.png", "png");
  write("run/sample/run-step00000010-01.png", "png");
  SweepRow row{.name = "run", .folder = "run"};
  add_evaluation(row, folder);
  EXPECT_EQ(row.picture, "run/sample/run-step00000010-00.png");
  EXPECT_TRUE(row.files.empty());

  write("run/evaluation/report.json", "no json");
  write("run/evaluation/report.html", "page");
  write("run/evaluation/thumbnail.jpg", "jpeg");
  row = {.name = "run", .folder = "run"};
  add_evaluation(row, folder);
  EXPECT_TRUE(row.measures.empty());
  EXPECT_EQ(row.picture, "run/evaluation/thumbnail.jpg");

  write("run/evaluation/report.json", report_of({-1, 0, 1}, false));
  row = {.name = "run", .folder = "run"};
  add_evaluation(row, folder);
  EXPECT_EQ(measure_of(row, "response"), 0.5);
  EXPECT_EQ(row.files,
            (std::vector<std::string>{"run/evaluation/report.html", "run/evaluation/report.json"}));

  const std::vector<std::string> written = write_sweep_results({.name = "x", .runs = {row}}, folder);
  ASSERT_EQ(written.size(), 3);
  for (const std::string& path : written) EXPECT_GT(fs::file_size(path), 20) << path;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace leco
