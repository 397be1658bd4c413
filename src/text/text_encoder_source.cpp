#include "text/text_encoder_source.h"

#include "io/component_files.h"
#include "text/clip_tokenizer.h"

namespace leco {

TextEncoderSource open_text_encoder(FileSource& files, const std::string& model_folder,
                                    const std::string& encoder, const std::string& tokenizer,
                                    Contents contents) {
  TokenizerFiles texts = read_tokenizer_folder(files, model_folder + "/" + tokenizer);
  const std::string folder = model_folder + "/" + encoder, config_path = folder + "/config.json";
  const ClipTextConfig config = parse_clip_text_config(files.read(config_path), config_path);
  return {.config = config,
          .weights = open_component(files, find_component(files, folder, "model"), contents),
          .tokenizer = std::move(texts)};
}

}  // namespace leco
