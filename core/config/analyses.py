"""What every analysis is asked for by."""


class AnalysisConfig:
    """Settings of something computed from results beyond the stages; each analysis has a frozen dataclass of its own."""
