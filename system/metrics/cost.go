package metrics

import (
	"math/big"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// picodollars are what costs are told in, this many to the dollar.
const picodollars = 1_000_000_000_000

// costTotal is the only value of the label cost_type.
const costTotal = "total"

// costs counts cost exactly: a sum of floating-point numbers would be off by more with each request. Only what is
// collected is rounded, once. It is for several goroutines; its series are as many as the values of the labels.
type costs struct {
	desc *prometheus.Desc

	mu   sync.Mutex
	sums map[costLabels]*costSum
}

type costLabels struct{ model, service string }

// costSum is an amount. Picodollars alone would leave an int64 at some nine million dollars.
type costSum struct {
	dollars, pico uint64 // pico is less than a dollar
	begun         time.Time
}

func newCosts(c *Config) *costs {
	return &costs{
		desc: prometheus.NewDesc(prometheus.BuildFQName(c.Namespace, "", "cost_usd_total"),
			"Cost in US dollars, by the list of the plugin pricing.", []string{model, "cost_type", serviceType}, nil),
		sums: make(map[costLabels]*costSum),
	}
}

// add counts a cost in picodollars. One below zero counts as none: counters do not go down.
func (c *costs) add(model, service string, cost int64) {
	n := uint64(max(cost, 0))
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.sums[costLabels{model, service}]
	if sum == nil {
		sum = &costSum{begun: time.Now()}
		c.sums[costLabels{model, service}] = sum
	}
	sum.dollars += n / picodollars
	sum.pico += n % picodollars
	if sum.pico >= picodollars {
		sum.dollars, sum.pico = sum.dollars+1, sum.pico-picodollars
	}
}

// usd is the float64 that is nearest to the amount.
func (s costSum) usd() float64 {
	whole := new(big.Int).SetUint64(s.dollars)
	whole.Mul(whole, big.NewInt(picodollars)).Add(whole, new(big.Int).SetUint64(s.pico))
	value, _ := new(big.Rat).SetFrac(whole, big.NewInt(picodollars)).Float64() // in range, and rounding is meant
	return value
}

// Describe implements [prometheus.Collector].
func (c *costs) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements [prometheus.Collector].
func (c *costs) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	now := make(map[costLabels]costSum, len(c.sums))
	for labels, sum := range c.sums {
		now[labels] = *sum
	}
	c.mu.Unlock() // a reader may be slow to take them
	for labels, sum := range now {
		ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(c.desc, prometheus.CounterValue, sum.usd(), sum.begun,
			labels.model, costTotal, labels.service)
	}
}
