#include "picture/label.h"

#include <fmt/format.h>
#include <pango/pangocairo.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

struct Release {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
  void operator()(cairo_font_options_t* options) const { cairo_font_options_destroy(options); }
  void operator()(PangoFontDescription* font) const { pango_font_description_free(font); }
  void operator()(PangoContext* context) const { g_object_unref(context); }
  void operator()(PangoLayout* layout) const { g_object_unref(layout); }
  void operator()(char* text) const { g_free(text); }
};
template <class T>
using Owned = std::unique_ptr<T, Release>;

bool system_has_fonts() {
  static const bool has = [] {
    PangoFontFamily** families = nullptr;
    int count = 0;
    pango_font_map_list_families(pango_cairo_font_map_get_default(), &families, &count);
    g_free(families);
    if (count == 0)
      log::warning(
          "pictures carry no labels: this system has no font; sudo apt-get install fonts-dejavu-core");
    return count > 0;
  }();
  return has;
}

std::string one_line_utf8(const std::string& text) {
  const Owned<char> valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  std::string line = valid.get();
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return line;
}

Owned<PangoContext> make_context() {
  Owned<PangoContext> context(pango_font_map_create_context(pango_cairo_font_map_get_default()));
  // Not what the desktop is set to: the same picture on every machine with the same fonts.
  const Owned<cairo_font_options_t> options(cairo_font_options_create());
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_SLIGHT);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_ON);
  pango_cairo_context_set_font_options(context.get(), options.get());
  return context;
}

Owned<PangoLayout> lay_out(PangoContext* context, const std::string& text, const LabelStyle& style) {
  Owned<PangoLayout> layout(pango_layout_new(context));
  const Owned<PangoFontDescription> font(
      pango_font_description_from_string("DejaVu Sans, Noto Sans, sans-serif"));
  pango_font_description_set_absolute_size(font.get(), style.pixels * PANGO_SCALE);
  if (style.bold) pango_font_description_set_weight(font.get(), PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(layout.get(), font.get());
  pango_layout_set_width(layout.get(), static_cast<int>(style.width) * PANGO_SCALE);
  pango_layout_set_height(layout.get(), static_cast<int>(style.height) * PANGO_SCALE);
  pango_layout_set_wrap(layout.get(), PANGO_WRAP_WORD_CHAR);
  pango_layout_set_ellipsize(layout.get(), PANGO_ELLIPSIZE_END);
  pango_layout_set_text(layout.get(), text.c_str(), -1);
  return layout;
}

}  // namespace

Picture draw_label(const std::string& text, const LabelStyle& style) {
  const std::string line = one_line_utf8(text);
  if (line.find_first_not_of(' ') == std::string::npos || !system_has_fonts()) return {};
  const Owned<PangoContext> context = make_context();
  const Owned<PangoLayout> layout = lay_out(context.get(), line, style);
  PangoRectangle box;  // right-to-left text stands at the right end of the width
  pango_layout_get_pixel_extents(layout.get(), nullptr, &box);

  const Owned<cairo_surface_t> surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, box.width, box.height));
  const Owned<cairo_t> cairo(cairo_create(surface.get()));
  cairo_set_source_rgb(cairo.get(), 1, 1, 1);
  cairo_paint(cairo.get());
  const auto [red, green, blue] = style.colour;
  cairo_set_source_rgb(cairo.get(), red / 255.0, green / 255.0, blue / 255.0);
  cairo_move_to(cairo.get(), -box.x, -box.y);
  pango_cairo_show_layout(cairo.get(), layout.get());
  if (const cairo_status_t status = cairo_status(cairo.get()); status != CAIRO_STATUS_SUCCESS)
    throw Error(fmt::format("cannot draw the label {:?}: {}", text, cairo_status_to_string(status)));

  cairo_surface_flush(surface.get());
  const unsigned char* pixels = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  Picture label(box.width, box.height);
  for (int64_t y = 0; y < label.height; ++y)
    for (int64_t x = 0; x < label.width; ++x) {
      const uint32_t pixel = reinterpret_cast<const uint32_t*>(pixels + y * stride)[x];  // 0x00RRGGBB
      label.fill(x, y, 1, 1, {uint8_t(pixel >> 16), uint8_t(pixel >> 8), uint8_t(pixel)});
    }
  return label;
}

std::string scale_label(double scale) {
  if (scale == 0) return "0";
  return fmt::format("{}{:g}", scale < 0 ? "\u2212" : "+", std::abs(scale));
}

}  // namespace leco
