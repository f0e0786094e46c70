/*
 * model.c - the table of models.
 */
#include "models/model.h"

#include <string.h>

#define ROW(name) &model_##name,

const struct model *const models[] = { MODELS(ROW) NULL };

enum { ROWS = 32 };

const struct model *model_find(const char *name)
{
	for (size_t i = 0; models[i]; i++)
		if (strcmp(models[i]->name, name) == 0)
			return models[i];
	return NULL;
}

const char *model_lacks(const struct config *config, const char **key)
{
	const struct model *model = model_find(config->model);

	return model->lacks ? model->lacks(config, key) : NULL;
}

const struct config_schema *model_schema(void)
{
	static const struct section *sections[ROWS];
	static const char *model_names[ROWS], *protocol_names[ROWS];
	static struct config_schema schema = { sections, model_names, protocol_names, false };
	size_t count = 0;

	schema.has_sandbox = sandbox_is_built();
	_Static_assert(sizeof models / sizeof *models <= ROWS, "the table of models has outgrown its schema");
	for (size_t i = 0; models[i]; i++) {
		model_names[i] = models[i]->name;
		if (models[i]->section)
			sections[count++] = models[i]->section;
	}
	for (size_t i = 0; i < ROWS - 1 && protocols[i]; i++)
		protocol_names[i] = protocols[i]->name;
	return &schema;
}

const void *model_keys(const struct config *config, const struct section *section)
{
	return config_section(config, model_schema(), section->name);
}
