package metrics

import (
	"bytes"
	_ "embed"
)

//go:embed grafana.json
var dashboard []byte

//go:embed alerts.yaml
var alerts []byte

// Dashboard returns a dashboard for Grafana as JSON, for metrics of the namespace "ccproxy". The slice is the caller's.
func Dashboard() []byte { return bytes.Clone(dashboard) }

// Alerts returns rules for Prometheus as YAML, for metrics of the namespace "ccproxy". The slice is the caller's.
func Alerts() []byte { return bytes.Clone(alerts) }
