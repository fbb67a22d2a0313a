"""Payment gateways behind `domain.ports.PaymentGateway`; the sandbox moves no real money."""
