// What becomes of the pictures of a plan: files, strips and a grid.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/draw/drawn_before.h"
#include "app/draw/picture_files.h"
#include "app/draw/sample_plan.h"
#include "core/share.h"

namespace uvic {

class Album {
 public:
  // `columns` of a grid, 0: as square as possible; nothing: a single file has one all the same. With a share, whole
  // rows of the plan, each file has the number of its request, since others draw into the folder at the same time.
  Album(const Model& model, const SamplePlan& plan, const GenerateOptions& how, PictureFiles& files,
        std::optional<int64_t> columns, const std::optional<Share>& share = {});

  // From now on what the folder has of the plan counts as drawn.
  void resume(DrawnBefore before);
  // The same of a share, of which only files with the numbers of its requests count.
  void resume_share();
  // Of a share: Error if somebody has the name of a file that is to be drawn.
  void expect_free() const;
  int64_t size() const { return part_.size(); }
  int64_t drawn() const { return drawn_; }  // of size()
  // The next request that is not drawn.
  std::optional<Request> next();

  // Writes the picture at once, and its strip. In the order of next().
  void add(const Request& request, const Drawing& drawing);
  // Names of the files that it has shown.
  const std::vector<std::string>& written() const { return written_; }
  // Of all that was added or there before: the grid, the single file. Nothing if nothing was.
  void finish();

 private:
  Recipe recipe(int64_t i) const { return make_recipe(model_, plan_.request(i), how_); }
  Recipe recipe_of_strip(int64_t row) const;
  Recipe recipe_of_grid() const;
  bool is_drawn(int64_t i) const;
  bool begins_strip(int64_t i) const { return how_.strip > 0 || (plan_.frames() > 1 && i % plan_.frames() == 0); }
  void pass_to(int64_t i);
  void add_frame(int64_t i, const Tensor& image);
  void add_tile(int64_t row, const Tensor& tile);
  void show(const std::filesystem::path& file);

  const Model& model_;
  const SamplePlan& plan_;
  const GenerateOptions& how_;
  PictureFiles& files_;
  int64_t columns_;
  bool shows_all_;  // in one picture
  bool is_share_;
  Stretch part_;  // of the requests
  std::optional<DrawnBefore> before_;
  std::map<int64_t, std::filesystem::path> pictures_, strips_;  // that were there before
  std::optional<int64_t> first_number_;                         // of the files
  int64_t drawn_ = 0, asked_ = 0, added_ = 0;                   // the latter two: requests gone through
  std::vector<std::string> written_;
  std::vector<Tensor> frames_, tiles_;  // of the row under way; of all rows
};

}  // namespace uvic
