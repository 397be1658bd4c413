// The report of leco evaluate: what it says in words, and that no prompt leaves its place in the page.
#include <gtest/gtest.h>

#include <cmath>

#include "report/evaluation_report.h"
#include "report/evaluation_verdict.h"
#include "report/html_text.h"

namespace leco {
namespace {

EvaluationReport report_of(double slope, double drift_at_one = 0.0) {
  EvaluationReport report{.lora = "x.safetensors",
                          .directions = {{"circle", "big circle", "small circle", 1, {64, 64}}},
                          .scales = {},
                          .curve = {},
                          .pictures = {{.prompt = "circle", .pngs = {"a", "b", "c"}}},
                          .settings = {{"model", "a \"model\""}, {"vae", ""}}};
  for (const double scale : {-1.0, 0.0, 1.0}) {
    ScaleMeasures at;
    at.scale = scale;
    at.response = slope * scale;
    if (at.response != 0) {
      at.cosine = 0.6;
      at.off_axis = 0.8;
    }
    at.drift = {{"<dog>", drift_at_one * std::abs(scale)}};
    report.scales.push_back(at);
  }
  report.curve = measure_curve(report.scales);
  return report;
}

std::string words_of(const EvaluationReport& report) {
  const Verdict verdict = judge(report);
  std::string words;
  for (const std::string& sentence : verdict.sentences) words += sentence + "\n";
  for (const Finding& finding : verdict.findings)
    words += finding.name + "=" + finding.value + " " + finding.word + ": " + finding.explanation + "\n";
  return words;
}

bool says(const EvaluationReport& report, const std::string& text) {
  return words_of(report).find(text) != std::string::npos;
}

TEST(Verdict, NamesTheDirectionTheStrengthAndTheRange) {
  const EvaluationReport good = report_of(0.66, 0.05);
  EXPECT_TRUE(says(good, "move “circle” from “small circle” to “big circle”")) << words_of(good);
  EXPECT_TRUE(says(good, "Strength=0.66 clear"));
  EXPECT_TRUE(says(good, "Use it at scales −1 … 1."));
  EXPECT_TRUE(says(good, "Symmetry=1.00 even"));
  EXPECT_TRUE(says(good, "Precision=0.6 on target"));
  EXPECT_TRUE(says(good, "at most 5.0\u00a0% (“<dog>”)"));
}

TEST(Verdict, TurnsTheDirectionOfAPairThatErases) {
  EvaluationReport report = report_of(0.5);
  report.directions = {{"", "red", "", -1, {64, 64}}, {"a", "b", "c", 1, {64, 64}}};
  EXPECT_TRUE(says(report, "move any prompt from “red” to the empty prompt, and 1 more direction."))
      << words_of(report);
}

TEST(Verdict, TellsWhatIsWrong) {
  EXPECT_TRUE(says(report_of(0), "hardly any effect"));
  EXPECT_TRUE(says(report_of(0), "train longer"));
  EXPECT_TRUE(says(report_of(-0.5), "wrong way round"));
  EXPECT_TRUE(says(report_of(0.1), "Strength=0.1 weak"));
  EXPECT_TRUE(says(report_of(4), "very strong"));
  EXPECT_TRUE(says(report_of(0.5, 0.3), "at no listed scale")) << words_of(report_of(0.5, 0.3));
  EvaluationReport blind = report_of(0.5);
  for (ScaleMeasures& at : blind.scales) at.drift.clear();
  EXPECT_TRUE(says(blind, "nothing is known of side effects"));
}

TEST(EvaluationJson, WritesNullWhereThereIsNoValue) {
  const std::string json = evaluation_json(report_of(0));
  for (const char* part :
       {"\"cosine\": null", "\"spearman\": null", "\"linear_range\": null", "\"<dog>\": 0.0"})
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  EXPECT_EQ(json.find("clip"), std::string::npos);
}

TEST(EvaluationJson, HoldsWhatClipSays) {
  EvaluationReport report = report_of(1);
  for (ScaleMeasures& at : report.scales) at.clip = ClipShift{1.5, -2};
  EXPECT_NE(evaluation_json(report).find("\"negative\": -2.0"), std::string::npos);
  EXPECT_NE(evaluation_page(report).find("ΔCLIP"), std::string::npos);
}

TEST(EvaluationPage, KeepsPromptsAsText) {
  EvaluationReport report = report_of(1);
  report.lora = "</title><script>alert(1)</script>";
  report.pictures[0].prompt = "\"><img src=x onerror=alert(1)>\x01";
  const std::string page = evaluation_page(report);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_EQ(page.find("<dog>"), std::string::npos);
  EXPECT_NE(page.find("&lt;dog&gt;"), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
  EXPECT_NE(page.find("base64,YQ=="), std::string::npos) << "the picture \"a\"";
}

TEST(HtmlText, Base64EqualsRfc4648) {
  const std::string text = "foobar";
  const std::vector<std::string> wanted = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (size_t length = 0; length <= text.size(); ++length)
    EXPECT_EQ(base64(text.substr(0, length)), wanted[length]);
  EXPECT_EQ(base64(std::string("\xff\xfe\x00", 3)), "//4A");
}

TEST(HtmlText, NumbersHaveATrueMinusAndThreeDigits) {
  EXPECT_EQ(html_number(-0.5), "−0.5");
  EXPECT_EQ(html_number(-0.0), "0");
  EXPECT_EQ(html_number(12.345), "12.3");
}

}  // namespace
}  // namespace leco
