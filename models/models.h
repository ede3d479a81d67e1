// models/models.h -- what a user of whole models includes, as <weft/models.h>: data, training and
// translation.
//
//   const weft::Task task = weft::read_task("pronounce.toml");
//   const weft::training::ModelFolder folder("pronounce");
//   weft::training::Trainer trainer(weft::trainer_setup(task, folder));
//   folder.create(task.config, task.tokenizers);
//   trainer.run();
//   weft::Translator translator("pronounce", {.beam = 5});
//   translator.translate("w o r d");
#pragma once
#include "models/data/batching.h"
#include "models/data/corpus.h"
#include "models/data/parallel_text.h"
#include "models/data/tokens/vocabulary.h"
#include "models/families/seq2seq.h"
#include "models/metrics/error_rate.h"
#include "models/training/folder/model_folder.h"
#include "models/training/recipe/recipe.h"
#include "models/training/seq2seq_run.h"
#include "models/training/trainer.h"
#include "models/translator/task.h"
#include "models/translator/training_setup.h"
#include "models/translator/translator.h"
