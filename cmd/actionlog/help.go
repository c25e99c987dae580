package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// examples are shown by --help, and parsed by a test.
var examples = map[string][]string{
	"serve":   {"actionlog serve --demo", "actionlog serve --data /var/lib/actionlog --listen 127.0.0.1:8080", "actionlog serve --nats tls://n1:4222 --nats-durable --nats-seed nats/service.nk", "actionlog serve --nats-listen 0.0.0.0:4222 --nats-tls-cert cert.pem --nats-tls-key key.pem --nats-publisher registry=my-school", "actionlog serve --engine http://127.0.0.1:9200", "actionlog serve --role indexer --nats nats://n1:4222,nats://n2:4222 --engine https://e1:9200,https://e2:9200 --engine-ca ca.pem"},
	"publish": {"actionlog publish actions.ndjson", "zcat actions.ndjson.gz | actionlog publish -", "actionlog publish --nats tls://n1:4222 --nats-seed registry.nk actions.ndjson", "actionlog publish --http actions.ndjson"},
	"search": {
		`actionlog search 'user:"melody wang" -outcome:failure from:now-30d arts'`,
		"actionlog search code:4xx method:POST --format table",
		"actionlog search -- -outcome:success type:api",
		`actionlog search --user "melody wang" --range 30d`,
		`actionlog search --category course --action course.administrator.removed --course "Arts and Craft" --from now-30d --to now-10d`,
		"actionlog search --category api --request-method POST --response-code 2xx --response-code 409",
		"actionlog search --user @example.edu --action=-course.learner.added --all --format ndjson",
	},
	"export":            {"actionlog export --range 90d --format csv -o actions.csv", "actionlog export 'type:course range:30d -outcome:success' -o failed.ndjson", "actionlog export --category institution --range 90d --format ndjson | jq .document.actor.name", "actionlog export --job --range 90d --format csv -o actions.csv"},
	"exports list":      {"actionlog exports list --institution my-school", "actionlog exports list --format table"},
	"exports show":      {"actionlog exports show 20261125-161502.123-k3j5h2ab"},
	"exports get":       {"actionlog exports get 20261125-161502.123-k3j5h2ab -o actions.csv"},
	"exports drop":      {"actionlog exports drop 20261125-161502.123-k3j5h2ab"},
	"feed":              {"actionlog feed --institution my-school --since now-1d", "actionlog feed --follow --state siem.state -o actions.ndjson", "actionlog feed 'type:api code:4xx' --follow | my-collector"},
	"webhook create":    {"actionlog webhook create --institution my-school --name SIEM --deliver-to https://siem.example.org/hooks/1 --per-message 100", "actionlog webhook create 'type:api code:5xx' --name 'failed requests' --deliver-to https://chat.example.org/hook", "actionlog webhook create --alerts --name pager --deliver-to https://pager.example.org/hook"},
	"webhook list":      {"actionlog webhook list --format table"},
	"webhook show":      {"actionlog webhook show 2rdrfn4djk5cgzyw"},
	"webhook test":      {"actionlog webhook test 2rdrfn4djk5cgzyw"},
	"webhook pause":     {"actionlog webhook pause 2rdrfn4djk5cgzyw"},
	"webhook resume":    {"actionlog webhook resume 2rdrfn4djk5cgzyw"},
	"webhook replay":    {"actionlog webhook replay 2rdrfn4djk5cgzyw --since now-1d", "actionlog webhook replay 2rdrfn4djk5cgzyw --since all"},
	"webhook rotate":    {"actionlog webhook rotate 2rdrfn4djk5cgzyw --overlap 48h"},
	"webhook drop":      {"actionlog webhook drop 2rdrfn4djk5cgzyw"},
	"saved create":      {"actionlog saved create 'type:api code:5xx range:7d' --name 'failed requests'", "actionlog saved create 'action:institution.actionlog.sign_in_failed' --name 'sign-ins that fail' --more-than 20 --within 10m --webhook 2rdrfn4djk5cgzyw", "actionlog saved create type:institution --name 'new administrators' --first actor"},
	"saved change":      {"actionlog saved change 'type:api code:5xx' --id k3j5h2abk3j5h2ab --name 'failed requests' --more-than 50 --paused"},
	"saved list":        {"actionlog saved list --format table"},
	"saved show":        {"actionlog saved show k3j5h2abk3j5h2ab"},
	"saved drop":        {"actionlog saved drop k3j5h2abk3j5h2ab"},
	"get":               {"actionlog get a-17", "actionlog get a-17 --format json"},
	"people":            {"actionlog people melody wang", "actionlog people meldoy wnag --format table", "actionlog people @example.edu --limit 100"},
	"courses":           {"actionlog courses arts and craft", "actionlog courses id:c-12"},
	"classes":           {"actionlog classes monday evening"},
	"dead list":         {"actionlog dead list", "actionlog dead list --format table"},
	"dead show":         {"actionlog dead show ab12cd34.17"},
	"dead replay":       {"actionlog dead replay ab12cd34.17", "actionlog dead replay --all"},
	"dead drop":         {"actionlog dead drop ab12cd34.17"},
	"token create":      {"actionlog token create --name siem --institution my-school", "actionlog token create --name platform --role publisher --for my-school --for other-school", `actionlog token create --name "Jo, support" --role support --for my-school --expires 48h --reason "ticket 4711"`, "actionlog token create --name monitoring --role operator"},
	"token rotate":      {"actionlog token rotate 3f9a --overlap 48h"},
	"token list":        {"actionlog token list --format table"},
	"token revoke":      {"actionlog token revoke 3f9a"},
	"archive status":    {"actionlog archive status", "actionlog archive status /mnt/copy --format json"},
	"archive verify":    {"actionlog archive verify", "actionlog archive verify /mnt/copy --key key.pub --checkpoint checkpoint.2026-10", "actionlog archive verify --proof proof.json --key key.pub"},
	"restore create":    {`actionlog restore create --institution my-school --from 2025-01-01 --to 2025-03-31 --reason "ticket 4711"`, `actionlog restore create --institution my-school --from 2025-01-01 --reason audit --filter "user=melody wang" --filter category=course --wait`, "actionlog restore create --file requests.ndjson"},
	"restore list":      {"actionlog restore list --status requested", "actionlog restore list --institution my-school --format table"},
	"restore show":      {"actionlog restore show 20261125-161502-k3j5h2ab"},
	"restore grant":     {"actionlog restore grant 20261125-161502-k3j5h2ab", `actionlog restore grant 20261125-161502-k3j5h2ab --reason "ticket 4711"`},
	"restore decline":   {`actionlog restore decline 20261125-161502-k3j5h2ab --reason "ask for less"`},
	"restore renew":     {"actionlog restore renew 20261125-161502-k3j5h2ab"},
	"restore drop":      {"actionlog restore drop 20261125-161502-k3j5h2ab"},
	"reindex":           {"actionlog reindex 2026-11-22", "actionlog reindex --all"},
	"copy":              {"actionlog copy --from data --to http://127.0.0.1:9200", "actionlog copy --from http://127.0.0.1:9200 --to data2"},
	"nats-config":       {"actionlog nats-config nats --publisher registry=my-school,other-school --publisher library=my-school", "actionlog nats-config /etc/nats --listen 0.0.0.0:4222 --tls-cert /etc/nats/cert.pem --tls-key /etc/nats/key.pem --publisher registry=my-school"},
	"generate":          {"actionlog generate --count 100000 --seed 7 -o actions.ndjson"},
	"check":             {"actionlog check", "actionlog check --url http://127.0.0.1:8080"},
	"completion":        {"source <(actionlog completion bash)", "actionlog completion zsh > ~/.zsh/completions/_actionlog", "actionlog completion fish > ~/.config/fish/completions/actionlog.fish"},
	"version":           {"actionlog version", "actionlog version --licences | less"},
	"usage":             {"actionlog usage --format table", "actionlog usage --from 2026-10-01 --to 2026-10-31 --format csv -o october.csv", "actionlog usage --from 2026-01-01 --by month"},
	"dashboards export": {"actionlog dashboards export -o actionlog.ndjson", "actionlog dashboards export --tz Europe/Berlin --hours 8-18 -o actionlog.ndjson"},
	"dashboards import": {"ACTIONLOG_DASHBOARDS_API_KEY=… actionlog dashboards import --to https://kibana.example.org:5601 --space compliance", "actionlog dashboards import --to https://dashboards.example.org/_dashboards --tenant compliance --tz Europe/Berlin --hours 8-18"},
	"man":               {"actionlog man ~/.local/share/man/man1", "actionlog man --markdown | less"},
	"doctor":            {"actionlog doctor", "actionlog doctor --data /var/lib/actionlog --listen 127.0.0.1:8080", "actionlog doctor --nats tls://n1:4222 --nats-seed service.nk --nats-monitor http://n1:8222 --engine https://e1:9200 --json"},
	"backup":            {"actionlog backup /mnt/backup/actionlog", "actionlog backup --data /var/lib/actionlog --archive /mnt/archive /mnt/backup/actionlog"},
}

// addExamples puts the examples behind what --help says of each command.
func addExamples(app *kong.Application) {
	for _, command := range app.Leaves(false) {
		command.Detail = "Examples:\n\n  " + strings.Join(examples[commandPath(command)], "\n\n  ")
	}
}

// commandPath is what one types for a command behind the program's name, as
// "dead list"; "" of the program.
func commandPath(n *kong.Node) (path string) {
	for ; n.Type == kong.CommandNode; n = n.Parent {
		path = strings.TrimSpace(n.Name + " " + path)
	}
	return path
}
