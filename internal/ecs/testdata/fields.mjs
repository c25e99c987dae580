// Writes the list of ECS fields that the tests read: ecs-fields.tsv. It is derived from the
// package @elastic/ecs of npm, whose version is that of the schema:
//
//   npm install --no-save --prefix /tmp/ecs @elastic/ecs@9.4.0
//   node fields.mjs /tmp/ecs > ecs-fields.tsv
import { createRequire } from "node:module";
const { EcsFlat, EcsVersion } = createRequire(process.argv[2] + "/")("@elastic/ecs");
console.log(`# The fields of the Elastic Common Schema ${EcsVersion}: name, type, "array" where the schema
# asks for one, and the values that are allowed; those of event.category each with the values of
# event.type that are expected with it. Made by fields.mjs from the package @elastic/ecs ${EcsVersion},
# (c) Elasticsearch B.V., under the Apache License 2.0 (ecs-LICENSE.txt); descriptions and all else are left out.`);
for (const [name, field] of Object.entries(EcsFlat)) {
  const values = (field.allowed_values ?? []).map((v) => v.name + (v.expected_event_types ? ">" + v.expected_event_types.join("|") : ""));
  console.log([name, field.type, field.normalize.includes("array") ? "array" : "", values.join(" ")].join("\t").trimEnd());
}
