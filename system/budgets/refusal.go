package budgets

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Headers of answers.
const (
	// HeaderWarning names the budgets of the caller that are beyond their soft limit.
	HeaderWarning = "X-CCProxy-Budget-Warning"
	// HeaderBudget and HeaderReset name the budget that has refused a request, and when it begins anew.
	HeaderBudget = "X-CCProxy-Budget"
	HeaderReset  = "X-CCProxy-Budget-Reset"
)

// code is what programs know a used-up budget by, in OpenAI's dialects.
const code = "insufficient_quota"

var errNoPrices = errors.New("the plugin pricing is not there")

// refuseOver refuses for a budget that has no room. Clients that try again by themselves are told not to: it will
// take hours.
func refuseOver(c *claim, status int) error {
	reset := c.period.end.UTC().Format(time.RFC3339)
	b := c.budget
	return &ccproxy.Error{
		Status: status, Code: code, RetryAfter: time.Until(c.period.end),
		Message: fmt.Sprintf("budget %q of this %s is used up; it begins anew at %s", b.Name, b.Period, reset),
		Header: http.Header{
			"X-Should-Retry": {"false"}, http.CanonicalHeaderKey(HeaderBudget): {headerText(b.Name)},
			http.CanonicalHeaderKey(HeaderReset): {reset},
		},
	}
}

// refuseUnpriced refuses a request whose cost nobody knows.
func refuseUnpriced(budget string, err error) error {
	return &ccproxy.Error{
		Status: http.StatusForbidden, Code: "model_without_price", Param: "model", Err: err,
		Message: fmt.Sprintf("model: it has no price, which budget %q has to know", budget),
	}
}

// refuseUnknown refuses while nobody knows what was spent.
func refuseUnknown(err error) error {
	return &ccproxy.Error{
		Status: http.StatusServiceUnavailable, Code: "budgets_unavailable", RetryAfter: time.Second, Err: err,
		Message: "the budgets of this caller cannot be looked up at the moment",
	}
}

// refuseBusy refuses more requests at a time than are kept account of.
func refuseBusy() error {
	return &ccproxy.Error{
		Status: http.StatusServiceUnavailable, Code: "budgets_unavailable", RetryAfter: time.Second,
		Message: "there are too many requests at a time to keep account of",
	}
}

// headerText leaves out what no header may have.
func headerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
