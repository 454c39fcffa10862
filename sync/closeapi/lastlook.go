package closeapi

import "context"

type lookKey struct{}

// WithLastLook has look called before every attempt of a call made with the
// returned context, after all waiting for limits. Its error ends the call;
// nothing was sent then.
func WithLastLook(ctx context.Context, look func(context.Context) error) context.Context {
	return context.WithValue(ctx, lookKey{}, look)
}

func lastLook(ctx context.Context) error {
	if look, ok := ctx.Value(lookKey{}).(func(context.Context) error); ok && look != nil {
		return look(ctx)
	}
	return nil
}
